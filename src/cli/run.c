/* run.c - `ingle run`: a prompt goes in, its continuation comes out.
 * Depends on run.h, ids.h. */
#include "ids.h"
#include "platform.h"
#include "run.h"
#include "verbs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the bundled model continues when nothing else was asked of it. */
static const char STORY[] = "Once upon a time there was a little";
enum { STORY_TOKENS = 256, MOST_PARALLEL = 1024 };

#define AT(field) offsetof(run_options, field)

static const arg_option INPUT_ROWS[] = {
    {"-p --prompt", "TEXT", ARG_STRING, AT(prompt), 0, 0, NULL, "the prompt, as PROMPT"},
    {"-f --file", "FILE", ARG_STRING, AT(file), 0, 0, NULL,
     "read the prompt from FILE ('-': standard input); the end of its last line is dropped"},
    {"--no-parse-special", NULL, ARG_FLAG, AT(no_parse_special), 0, 0, NULL,
     "text such as <|im_end|> in the prompt stays plain text"},
    {"-np --parallel", "N", ARG_INT, AT(n_parallel), 1, MOST_PARALLEL, NULL,
     "many prompts, N at a time: every line of FILE or standard input is one, as JSON; so is every "
     "line of the output"},
    {"--unordered", NULL, ARG_FLAG, AT(unordered), 0, 0, NULL,
     "with --parallel: answers come as they are ready, not in the order of the prompts"},
};

static const arg_choice FORMATS[] = {{"text", 0}, {"json", 1}, {NULL, 0}};

static const arg_option CHAT_ROWS[] = {
    {"--chat", NULL, ARG_FLAG, AT(chat), 0, 0, NULL,
     "the input is messages, and the output an answer to them by the model's chat template"},
    {"-o --output", "FORMAT", ARG_CHOICE, AT(format), 0, 0, FORMATS,
     "with --chat: text, or json, one object with content, reasoning, tool_calls, finish and usage "
     "(default text)"},
};

static const arg_option LENGTH_ROWS[] = {
    {"-n --predict --n-predict", "N", ARG_INT, AT(n_predict), ARG_MIN, ARG_MAX, NULL,
     "most tokens to generate; 0 only reads the prompt, -1 goes on until the model ends or the "
     "context is full (default -1, for the story of the bundled model 256)"},
    {"--stop", "TEXT", ARG_LIST, AT(stops), 0, 0, NULL, "end before this text; repeatable"},
    {"--ignore-eos", NULL, ARG_FLAG, AT(ignore_eos), 0, 0, NULL, "end tokens are never drawn"},
};

static const arg_option OUTPUT_ROWS[] = {
    {"--echo", NULL, ARG_FLAG, AT(echo), 0, 0, NULL, "print the prompt before its continuation"},
    {"--json", NULL, ARG_FLAG, AT(json), 0, 0, NULL,
     "one JSON object a line: start, prompt, token, end, error"},
    {"--logprobs", "N", ARG_INT, AT(logprobs), 0, ARG_MAX, NULL,
     "log-probability of every token and of the N most likely ones; needs --json or --parallel"},
    {"-v --verbose", NULL, ARG_FLAG, AT(verbose), 0, 0, NULL,
     "model, seed and timings on standard error"},
};

#define ROWS(rows) rows, sizeof rows / sizeof *rows

static ingle_status check_generation(const void *options, const arg_option *row, ingle_error *err)
{
    ingle_generate_options gen;
    ingle_stop stops[RUN_MOST_STOPS];
    (void)row;
    run_generate_options(options, &gen, stops);
    return ingle_generate_options_check(&gen, err);
}

static const arg_group GROUPS[] = {
    {"Model", ROWS(open_rows_model), AT(open), open_check_model, 0},
    {"Prompt", ROWS(INPUT_ROWS), 0, NULL, 0},
    {"Chat", ROWS(CHAT_ROWS), 0, NULL, 0},
    {"Tools and thinking, with --chat", ROWS(chat_rows), AT(set), NULL, 0},
    {"Grammar", ROWS(grammar_rows), AT(grammar), NULL, 0},
    {"Length", ROWS(LENGTH_ROWS), 0, check_generation, 0},
    {"Output", ROWS(OUTPUT_ROWS), 0, check_generation, 0},
    {"Sampling", ROWS(sampling_rows), AT(sampling), sampling_check,
     offsetof(sampling_options, given)},
    {"Computing", ROWS(open_rows_compute), AT(open), open_check_compute, 0},
};

/* ---- prompt ---------------------------------------------------------------------------------- */

typedef struct run_prompt {
    char *text;
    size_t len;
    bool story; /* nobody asked for anything: the built-in one */
} run_prompt;

static bool copy_prompt(run_prompt *p, const char *text)
{
    p->len = strlen(text);
    p->text = malloc(p->len + 1);
    if (!p->text) {
        out_error("no memory for the prompt");
        return false;
    }
    memcpy(p->text, text, p->len + 1);
    return true;
}

static bool read_prompt(run_prompt *p, const char *file)
{
    if (!platform_read_all(file, &p->text, &p->len)) {
        out_error("cannot read the prompt from %s: %s",
                  file && strcmp(file, "-") != 0 ? file : "standard input", strerror(errno));
        return false;
    }
    if (p->len > 0 && p->text[p->len - 1] == '\n') p->text[--p->len] = 0;
    if (p->len > 0 && p->text[p->len - 1] == '\r') p->text[--p->len] = 0;
    return true;
}

/* From the argument, -p, -f, or standard input when that is no terminal; else the story, if the
 * model is the bundled one. */
static int find_prompt(run_prompt *p, const cli_verb *verb, const run_options *opt,
                       const char *positional)
{
    const char *given = positional ? positional : opt->prompt;
    if ((positional != NULL) + (opt->prompt != NULL) + (opt->file != NULL) > 1) {
        out_error("%s: more than one prompt: give one of PROMPT, -p and -f", verb->name);
        return EXIT_USAGE;
    }
    if (given) return copy_prompt(p, given) ? EXIT_DONE : EXIT_WORK;
    if (opt->file) return read_prompt(p, opt->file) ? EXIT_DONE : EXIT_USAGE;
    if (!platform_is_terminal(0)) {
        if (!read_prompt(p, NULL)) return EXIT_USAGE;
        if (p->len > 0) return EXIT_DONE;
    }
    if (opt->open.model) {
        out_error("%s: no prompt: give PROMPT, -f FILE or text on standard input", verb->name);
        return EXIT_USAGE;
    }
    free(p->text);
    p->story = true;
    return copy_prompt(p, STORY) ? EXIT_DONE : EXIT_WORK;
}

/* ---- events ---------------------------------------------------------------------------------- */

typedef struct run_state {
    const run_options *opt;
    const ingle_model *model;
    out_progress progress;
    ingle_json_writer json;
    ingle_grammar_state *watch; /* NULL: no grammar */
    bool write_failed;
    char last; /* last byte printed */
} run_state;

static void begin_event(ingle_json_writer *w, const char *name)
{
    ingle_json_begin_object(w);
    ingle_json_put_text(ingle_json_name(w, "event"), name);
}

static void end_event(ingle_json_writer *w)
{
    ingle_json_end_object(w);
    out_json_line(w);
}

static void print_json_event(run_state *s, const ingle_event *e)
{
    ingle_json_writer *w = &s->json;
    if (e->kind == INGLE_EVENT_PROMPT) {
        begin_event(w, "prompt");
        ingle_json_put_u64(ingle_json_name(w, "done"), e->n_done);
        ingle_json_put_u64(ingle_json_name(w, "total"), e->n_prompt);
        end_event(w);
    } else if (e->kind == INGLE_EVENT_TOKEN) {
        begin_event(w, "token");
        run_put_token(w, s->model, e, s->opt->logprobs >= 0);
        end_event(w);
    } else { /* text that was held back; print_end() goes on with this object */
        begin_event(w, "end");
        out_json_text(w, "text", e->text ? e->text : "", e->text_len);
    }
}

static void print_event(run_state *s, const ingle_event *e)
{
    if (s->opt->json) {
        print_json_event(s, e);
    } else if (e->kind != INGLE_EVENT_PROMPT && e->text_len > 0) {
        out_progress_clear(&s->progress);
        fwrite(e->text, 1, e->text_len, stdout);
        s->last = e->text[e->text_len - 1];
    }
}

static bool on_event(void *user, const ingle_event *e)
{
    run_state *s = user;
    if (e->kind == INGLE_EVENT_PROMPT && e->n_done < e->n_prompt) {
        out_progress_show(&s->progress, "reading the prompt",
                          (double)e->n_done / (double)e->n_prompt);
    } else {
        out_progress_clear(&s->progress);
    }
    print_event(s, e);
    if (s->watch && e->kind == INGLE_EVENT_TOKEN)
        ingle_grammar_state_accept(s->watch, e->token, NULL);
    if (!out_flush()) s->write_failed = true;
    return !s->write_failed && !platform_interrupted();
}

/* ---- the run --------------------------------------------------------------------------------- */

static void print_json_start(ingle_json_writer *w, const run_options *opt, const open_handles *h,
                             size_t n_prompt)
{
    begin_event(w, "start");
    ingle_json_put_text(ingle_json_name(w, "model"), h->info.name);
    ingle_json_put_text(ingle_json_name(w, "file"), h->path);
    ingle_json_put_u64(ingle_json_name(w, "prompt_tokens"), n_prompt);
    ingle_json_put_i64(ingle_json_name(w, "n_ctx"), h->engine_info.n_ctx);
    ingle_json_put_i64(ingle_json_name(w, "threads"), h->engine_info.n_threads);
    run_put_seed(ingle_json_name(w, "seed"), opt->sampling.lib.seed);
    end_event(w);
}

static void print_start(run_state *s, const open_handles *h, size_t n_prompt)
{
    const run_options *opt = s->opt;
    if (opt->json) print_json_start(&s->json, opt, h, n_prompt);
    if (opt->verbose) {
        out_note("%s: %s, %s kernels, %d threads, context %d, seed %llu, loaded in %.2f s", h->path,
                 h->info.architecture, h->info.isa, h->engine_info.n_threads, h->engine_info.n_ctx,
                 (unsigned long long)opt->sampling.lib.seed, h->load_s);
    }
}

static double per_second(size_t n, double seconds)
{
    return seconds > 0 ? (double)n / seconds : 0;
}

/* Goes on with what print_json_event() began. */
static void print_json_end(ingle_json_writer *w, const run_options *opt, const open_handles *h,
                           ingle_grammar_state *watch, const ingle_generate_result *r)
{
    ingle_json_put_text(ingle_json_name(w, "finish"), run_finish_name(r->finish));
    run_put_complete(w, watch);
    if (r->finish == INGLE_FINISH_STOP && r->i_stop < opt->stops.n)
        ingle_json_put_text(ingle_json_name(w, "stop"), opt->stops.items[r->i_stop]);
    ingle_json_put_u64(ingle_json_name(w, "prompt_tokens"), r->n_prompt);
    ingle_json_put_u64(ingle_json_name(w, "generated_tokens"), r->n_generated);
    out_json_fixed(ingle_json_name(w, "load_s"), h->load_s, 6);
    out_json_fixed(ingle_json_name(w, "prompt_s"), r->prompt_s, 6);
    out_json_fixed(ingle_json_name(w, "decode_s"), r->decode_s, 6);
    end_event(w);
}

static void print_end(run_state *s, run_options *opt, const open_handles *h,
                      const ingle_generate_result *r)
{
    if (opt->json) {
        print_json_end(&s->json, opt, h, s->watch, r);
        opt->ended = true;
    }
    if (opt->n_predict && r->finish != INGLE_FINISH_CANCELLED && grammar_unfinished(s->watch))
        grammar_note_unfinished(r->n_generated);
    if (opt->verbose) {
        out_note("prompt: %zu tokens in %.3f s (%.1f/s); generated: %zu tokens in %.3f s "
                 "(%.1f/s); ended by %s",
                 r->n_prompt, r->prompt_s, per_second(r->n_prompt, r->prompt_s), r->n_generated,
                 r->decode_s, per_second(r->n_generated, r->decode_s), run_finish_name(r->finish));
    }
}

static int fail_run(open_handles *h, const char *what, ingle_status status, const ingle_error *err)
{
    h->status = status;
    int code = open_failed(what, status, err);
    return status == INGLE_EINVAL ? EXIT_USAGE : code;
}

/* The last event of a run that failed, wherever that was. */
static void print_failure(const open_handles *h, int code)
{
    ingle_status status = h->status ? h->status : code == EXIT_USAGE ? INGLE_EINVAL : INGLE_EIO;
    const char *text = code == EXIT_INTERRUPTED ? "stopped by Ctrl+C" : out_last_error();
    if (code == EXIT_INTERRUPTED) status = INGLE_ECANCELLED;
    ingle_json_writer w = out_json();
    begin_event(&w, "error");
    ingle_json_put_text(ingle_json_name(&w, "status"), ingle_status_name(status));
    ingle_json_put_text(ingle_json_name(&w, "message"), text);
    end_event(&w);
    ingle_json_writer_free(&w);
}

static int generate(run_options *opt, open_handles *h, const run_prompt *prompt,
                    const ids_list *tokens, ingle_sampler *sampler)
{
    run_state state = {.opt = opt, .model = h->model, .json = out_json(), .last = '\n'};
    state.watch = grammar_watch(opt->constraint);
    ingle_generate_options gen;
    ingle_generate_result result = {.size = sizeof result};
    ingle_error err = {{0}};
    ingle_stop stops[RUN_MOST_STOPS];

    run_generate_options(opt, &gen, stops);
    gen.on_event = on_event;
    gen.user = &state;

    print_start(&state, h, tokens->n);
    if ((opt->echo || prompt->story) && !opt->json) {
        fwrite(prompt->text, 1, prompt->len, stdout);
        state.last = prompt->len ? prompt->text[prompt->len - 1] : '\n';
        out_flush();
    }
    out_progress_start(&state.progress);
    ingle_status status =
        ingle_generate(h->session, sampler, tokens->ids, tokens->n, &gen, &result, &err);
    out_progress_clear(&state.progress);
    if (!opt->json && state.last != '\n' && platform_is_terminal(1)) putchar('\n');
    int code = EXIT_DONE; /* out_finish() reports a failed write and turns it into a failure */
    if (!state.write_failed && status != INGLE_OK) {
        code = fail_run(h, "generation", status, &err);
    } else if (!state.write_failed) {
        print_end(&state, opt, h, &result);
        if (platform_interrupted()) code = EXIT_INTERRUPTED;
    }
    ingle_json_writer_free(&state.json);
    ingle_grammar_state_close(&state.watch);
    return code;
}

static int tokenize_and_generate(run_options *opt, open_handles *h, const run_prompt *prompt)
{
    unsigned flags = INGLE_ADD_SPECIAL | (opt->no_parse_special ? 0 : INGLE_PARSE_SPECIAL);
    ids_list tokens = {0};
    ingle_sampler *sampler = NULL;
    ingle_error err = {{0}};
    int code = EXIT_WORK;
    ingle_status status = ids_tokenize(&tokens, h->model, prompt->text, prompt->len, flags, &err);
    if (status != INGLE_OK) {
        code = fail_run(h, "the prompt", status, &err);
        goto end;
    }
    if (tokens.n == 0) {
        out_error("the prompt is empty, and this model begins no text by itself");
        code = EXIT_USAGE;
        goto end;
    }
    if (tokens.n >= (size_t)h->engine_info.n_ctx && opt->n_predict)
        out_note(
            "the prompt of %zu tokens fills the context of %d: nothing can be generated; -c sets "
            "it",
            tokens.n, h->engine_info.n_ctx);
    status = ingle_sampler_open(&sampler, &opt->sampling.lib, h->info.n_vocab, h->model, &err);
    if (status != INGLE_OK) {
        bool biased = opt->sampling.lib.n_logit_bias > 0; /* of a token that is none */
        code = fail_run(h, biased ? "option '--logit-bias'" : "sampling", status, &err);
        goto end;
    }
    code = generate(opt, h, prompt, &tokens, sampler);
end:
    ingle_sampler_close(&sampler);
    ids_free(&tokens);
    return code;
}

static int check(const cli_verb *verb, run_options *opt)
{
    if (opt->logprobs >= 0 && !opt->json && !opt->n_parallel) {
        out_error("%s: option '--logprobs' needs --json: standard output carries text only",
                  verb->name);
        return EXIT_USAGE;
    }
    if (opt->json && opt->echo) {
        out_error("%s: options '--json' and '--echo' exclude each other", verb->name);
        return EXIT_USAGE;
    }
    if (opt->unordered && !opt->n_parallel) {
        out_error("%s: option '--unordered' needs --parallel", verb->name);
        return EXIT_USAGE;
    }
    if (!sampling_settle(&opt->sampling)) return EXIT_USAGE;
    return open_check(verb, &opt->open, NULL);
}

/* What does not go with messages, or only with them. */
static int check_chat(const cli_verb *verb, const run_options *opt, const char *positional)
{
    const chat_settings *set = &opt->set;
    bool settings = set->tools_file || set->tool_command || set->effort || set->thinking ||
                    set->show_thinking || set->template_file || set->template_choice ||
                    set->family || opt->format;
    const char *other = opt->json            ? "--json"
                        : opt->echo          ? "--echo"
                        : opt->prompt        ? "--prompt"
                        : opt->n_parallel    ? "--parallel"
                        : opt->ignore_eos    ? "--ignore-eos"
                        : opt->logprobs >= 0 ? "--logprobs"
                                             : NULL;
    if (!opt->chat && settings) {
        out_error("%s: the options of tools, thinking and templates, and -o, need --chat",
                  verb->name);
    } else if (opt->chat && positional) {
        out_error("%s: option '--chat' takes its messages from -f FILE or standard input, not from "
                  "PROMPT",
                  verb->name);
    } else if (opt->chat && other) {
        out_error("%s: options '--chat' and '%s' exclude each other", verb->name, other);
    } else {
        return EXIT_DONE;
    }
    return EXIT_USAGE;
}

/* What is for one prompt alone. */
static int check_parallel(const cli_verb *verb, const run_options *opt, const char *positional)
{
    const char *other = opt->prompt ? "--prompt"
                        : opt->json ? "--json"
                        : opt->echo ? "--echo"
                                    : NULL;
    if (!other && !positional) return EXIT_DONE;
    if (positional) {
        out_error("%s: option '--parallel' takes its prompts from -f FILE or standard input, not "
                  "from PROMPT",
                  verb->name);
    } else {
        out_error("%s: options '--parallel' and '%s' exclude each other", verb->name, other);
    }
    return EXIT_USAGE;
}

/* What standard input is, as far as options say; NULL: nothing. */
static const char *input_of(const run_options *opt, const char *positional)
{
    if (positional || opt->prompt || (opt->file && strcmp(opt->file, "-") != 0)) return NULL;
    return opt->chat ? "the messages" : opt->n_parallel ? "the prompts" : "the prompt";
}

/* After the model is open. */
static int open_grammar(run_options *opt, const grammar_source *source, open_handles *h)
{
    ingle_error err = {{0}};
    if (source->kind == GRAMMAR_NONE) return EXIT_DONE;
    h->status = grammar_open(&opt->constraint, source, h->model, &err);
    return h->status == INGLE_OK ? EXIT_DONE : open_failed(source->what, h->status, &err);
}

/* Before the model is read, which may take long. */
static int check_grammar(const grammar_source *source, open_handles *h)
{
    ingle_error err = {{0}};
    if (source->kind == GRAMMAR_NONE) return EXIT_DONE;
    h->status = grammar_check(source, &err);
    return h->status == INGLE_OK ? EXIT_DONE : open_failed(source->what, h->status, &err);
}

static void note_model(const open_handles *h)
{
    if (h->info.chat_template) {
        out_note(
            "this model has a chat template; 'run' continues plain text, 'ingle chat' and 'run "
            "--chat' use it");
    }
    if (h->info.pooling != INGLE_POOLING_MEAN) { /* the file says so */
        out_note("this model was made to embed texts ('ingle embed', pooling '%s')",
                 ingle_pooling_name(h->info.pooling));
    }
}

/* From the prompt on, one or many. */
static int find_input(run_prompt *prompt, const cli_verb *verb, run_options *opt,
                      const char *positional)
{
    int code = check_chat(verb, opt, positional);
    if (code != EXIT_DONE) return code;
    if (opt->chat) {
        if (!read_prompt(prompt, opt->file)) code = EXIT_USAGE;
    } else if (!opt->n_parallel) {
        code = find_prompt(prompt, verb, opt, positional);
    } else {
        code = check_parallel(verb, opt, positional);
        opt->open.n_sessions = opt->n_parallel;
        if (code == EXIT_DONE && !platform_input_from(opt->file)) {
            out_error("cannot read the prompts from %s: %s", opt->file, strerror(errno));
            code = EXIT_USAGE;
        }
    }
    if (opt->n_predict == INT32_MIN) opt->n_predict = prompt->story ? STORY_TOKENS : -1;
    return code;
}

static int run_main(const cli_verb *verb, int argc, char **argv)
{
    run_options opt = {
        .open = OPEN_OPTIONS_DEFAULT, .n_predict = INT32_MIN, .logprobs = -1, .set.n_thinking = -1};
    run_prompt prompt = {0};
    open_handles h = {0};
    grammar_source source = {.kind = GRAMMAR_NONE};
    const char *positional = NULL;
    sampling_init(&opt.sampling);
    args_status parsed = args_parse(verb, &opt, argc, argv, &positional);
    int code = parsed == ARGS_HELP ? EXIT_DONE : EXIT_USAGE;
    if (parsed != ARGS_OK) goto end;
    if ((code = check(verb, &opt)) != EXIT_DONE) goto end;
    code = grammar_source_read(&source, verb, &opt.grammar, input_of(&opt, positional));
    if (code != EXIT_DONE) goto end;
    if ((code = find_input(&prompt, verb, &opt, positional)) != EXIT_DONE) goto end;
    opt.begun = true;
    if ((code = check_grammar(&source, &h)) != EXIT_DONE) goto end;

    platform_catch_interrupt();
    if ((code = open_generator(&h, &opt.open)) != EXIT_DONE) goto end;
    if ((code = open_grammar(&opt, &source, &h)) != EXIT_DONE) goto end;
    if (opt.chat) {
        code = run_chat(&opt, &source, &h, prompt.text, prompt.len);
        goto end;
    }
    if ((code = sampling_from_model(&opt.sampling, h.model, h.path)) != EXIT_DONE) goto end;
    note_model(&h);
    if ((code = open_engine(&h, &opt.open, 0)) != EXIT_DONE) {
        if (h.status == INGLE_ENOMEM && opt.n_parallel > 1)
            out_note("every prompt of --parallel takes a context; -c makes it smaller");
        goto end;
    }
    code = opt.n_parallel ? run_batch(&opt, &h) : tokenize_and_generate(&opt, &h, &prompt);
end:
    if (opt.json && opt.begun && code != EXIT_DONE && !opt.ended) print_failure(&h, code);
    code = out_finish(code);
    ingle_grammar_close(&opt.constraint);
    grammar_source_free(&source);
    grammar_settings_free(&opt.grammar);
    open_close(&h);
    open_options_free(&opt.open);
    free(prompt.text);
    args_list_free(&opt.stops);
    sampling_free(&opt.sampling);
    return code;
}

const cli_verb cli_verb_run = {
    .name = "run",
    .synopsis = "[OPTIONS] [-m MODEL] [PROMPT]",
    .summary = "continue a text, or answer messages",
    .about =
        "Continues a text. The prompt is PROMPT, -f FILE or standard input when that is no "
        "terminal. Without a prompt the bundled model tells a story, which begins with words of "
        "the program's own.\n\nStandard output carries the model's text and nothing else. Ctrl+C "
        "ends the generation, what was generated stays; a second Ctrl+C kills the program.\n\n"
        "With --chat the input is JSON: an array of messages, or an object with the members "
        "messages "
        "and tools, as OpenAI's chat completions have them. The output is the answer's text; with "
        "-o json an object. Calls of tools are lines '-> NAME {arguments}' in the text; --tool-cmd "
        "answers them, and the model goes on.\n\n"
        "With one of the options of grammars the output is a text of the grammar, whatever the "
        "model "
        "and the sampling; docs/structured.md says what each takes. A text that breaks off before "
        "it "
        "is whole, because of -n, --stop or a full context, is reported on standard error; with "
        "--json, -o json and --parallel the member complete says so.\n\n"
        "With --parallel N many prompts share the steps of the engine, N at a time, each with a "
        "context of its own. A line of input is a JSON string, the prompt, or an object with the "
        "members prompt (a text or an array of token ids), id (any value, comes back as it is), "
        "max_tokens, temperature, top_k, top_p, min_p, seed, repeat_penalty, presence_penalty, "
        "frequency_penalty, stop (a text or an array of them) and logprobs, which replace the "
        "options of the command line; blank lines are passed over. A line of output is an object "
        "with index (from 0), id, text, finish, prompt_tokens, generated_tokens, seed, queue_s, "
        "prompt_s, decode_s and, where they were asked for, complete and logprobs; or index, id "
        "and error for "
        "a prompt that failed: the others go on, and the exit code is 1. Prompt i without a seed "
        "of its own has that of the command line plus i, so that with --seed every answer is the "
        "one that the prompt gets alone.",
    .groups = GROUPS,
    .n_groups = sizeof GROUPS / sizeof *GROUPS,
    .max_positional = 1,
    .main = run_main,
};
