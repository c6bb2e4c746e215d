/* help.c - option rows as text: --help, the man page, shell completion. See args.h. */
#include "args.h"

#include <ingle.h>
#include <string.h>

enum { NAME_CAP = 64, LINE_CAP = 96, HELP_COLUMN = 32 };

static const char EXIT_CODES[][2][112] = {
    {"0", "success"},
    {"1", "the work failed: not enough memory or context, output could not be written"},
    {"2", "the command line is wrong"},
    {"3", "the model could not be opened"},
    {"130", "stopped by Ctrl+C; what was generated until then is on standard output"},
};

static const char ABOUT[] =
    "ingle runs large language models on the machine in front of you: a GGUF file goes in, text "
    "comes out. Standard output carries results only; notes, timings and errors go to standard "
    "error.";

bool help_next_name(const char **names, char *word, size_t cap)
{
    const char *p = *names + strspn(*names, " ");
    size_t len = strcspn(p, " ");
    if (len == 0) return false;
    snprintf(word, cap, "%.*s", (int)len, p);
    *names = p + len;
    return true;
}

/* "-n, --predict N" */
static int format_names(const arg_option *row, char *out, size_t cap)
{
    char word[NAME_CAP];
    size_t len = 0;
    for (const char *names = row->names; help_next_name(&names, word, sizeof word);) {
        len +=
            (size_t)snprintf(out + len, len < cap ? cap - len : 0, "%s%s", len ? ", " : "", word);
    }
    if (row->value)
        len += (size_t)snprintf(out + len, len < cap ? cap - len : 0, " %s", row->value);
    return (int)len;
}

/* Prints text wrapped to LINE_CAP; the cursor stands at column, later lines start at indent. */
static void print_wrapped(FILE *f, const char *text, int column, int indent)
{
    while (*text) {
        int len = (int)strcspn(text, " \n");
        if (column > indent && column + 1 + len > LINE_CAP) {
            fprintf(f, "\n%*s", indent, "");
            column = indent;
        } else if (column > indent) {
            fputc(' ', f), column++;
        }
        fprintf(f, "%.*s", len, text);
        column += len;
        text += len;
        if (text[0] == '\n' && text[1] == '\n') {
            fprintf(f, "\n\n%*s", indent, "");
            column = indent;
        }
        text += strspn(text, " \n");
    }
    fputc('\n', f);
}

static void print_row(FILE *f, const arg_option *row)
{
    char names[LINE_CAP * 2];
    int len = format_names(row, names, sizeof names);
    fprintf(f, "  %s", names);
    if (len + 4 > HELP_COLUMN) {
        fprintf(f, "\n%*s", HELP_COLUMN, "");
    } else {
        fprintf(f, "%*s", HELP_COLUMN - len - 2, "");
    }
    print_wrapped(f, row->help, HELP_COLUMN, HELP_COLUMN);
}

static void print_exit_codes(FILE *f)
{
    fprintf(f, "\nExit codes:\n");
    for (size_t i = 0; i < sizeof EXIT_CODES / sizeof *EXIT_CODES; i++) {
        fprintf(f, "  %-4s %s\n", EXIT_CODES[i][0], EXIT_CODES[i][1]);
    }
}

void help_print(FILE *f, const cli_verb *verb)
{
    fprintf(f, "Usage: ingle %s %s\n\n", verb->name, verb->synopsis);
    print_wrapped(f, verb->about, 0, 0);
    for (size_t g = 0; g < verb->n_groups; g++) {
        fprintf(f, "\n%s:\n", verb->groups[g].title);
        for (size_t r = 0; r < verb->groups[g].n_rows; r++) print_row(f, &verb->groups[g].rows[r]);
    }
    print_exit_codes(f);
}

void help_print_overview(FILE *f, const cli_verb *const *verbs, size_t n_verbs)
{
    fprintf(f, "Usage: ingle VERB [OPTIONS]\n\n");
    print_wrapped(f, ABOUT, 0, 0);
    fprintf(f, "\nVerbs:\n");
    for (size_t i = 0; i < n_verbs; i++) {
        fprintf(f, "  %-10s %s\n", verbs[i]->name, verbs[i]->summary);
    }
    fprintf(f, "\n'ingle run' alone lets the bundled model tell a story, 'ingle chat' talks to "
               "it;\n'ingle "
               "VERB --help' lists the options of a verb, 'ingle --version' the version.\n");
    print_exit_codes(f);
}

/* ---- man page -------------------------------------------------------------------------------- */

/* Text for troff: no line may begin with a control character, '-' stays a hyphen-minus. */
void help_man_text(FILE *f, const char *text)
{
    for (; *text; text++) {
        if (*text == '\\') {
            fputs("\\e", f);
        } else if (*text == '-') {
            fputs("\\-", f);
        } else if (*text == '\'') {
            fputs("\\(aq", f);
        } else if (text[0] == '\n' && text[1] == '\n') {
            fputs("\n.PP\n", f), text++;
        } else {
            fputc(*text, f);
        }
    }
    fputc('\n', f);
}

static void man_rows(FILE *f, const arg_group *group)
{
    for (size_t r = 0; r < group->n_rows; r++) {
        char names[LINE_CAP * 2];
        format_names(&group->rows[r], names, sizeof names);
        fputs(".TP\n.B ", f);
        help_man_text(f, names);
        help_man_text(f, group->rows[r].help);
    }
}

static void man_verb(FILE *f, const cli_verb *verb)
{
    fprintf(f, ".SS \"ingle %s\"\n.B ingle %s\n", verb->name, verb->name);
    help_man_text(f, verb->synopsis);
    fputs(".PP\n", f);
    help_man_text(f, verb->about);
    if (verb->man) { /* a page of its own */
        fprintf(f, ".PP\nSee\n.BR ingle\\-%s (1)\nfor its options.\n", verb->name);
        return;
    }
    for (size_t g = 0; g < verb->n_groups; g++) {
        fprintf(f, ".PP\n%s:\n", verb->groups[g].title);
        man_rows(f, &verb->groups[g]);
    }
}

static void man_exit_codes(FILE *f)
{
    fputs(".SH EXIT STATUS\n", f);
    for (size_t i = 0; i < sizeof EXIT_CODES / sizeof *EXIT_CODES; i++)
        fprintf(f, ".TP\n.B %s\n%s\n", EXIT_CODES[i][0], EXIT_CODES[i][1]);
}

bool help_print_man_verb(FILE *f, const cli_verb *verb)
{
    if (!verb->man) return false;
    fputs(".TH INGLE\\-", f);
    for (const char *p = verb->name; *p; p++) fputc(*p - 'a' + 'A', f);
    fprintf(f, " 1 \"\" \"ingle %s\" \"User Commands\"\n", ingle_version());
    fprintf(f, ".SH NAME\ningle\\-%s \\- %s\n", verb->name, verb->summary);
    fprintf(f, ".SH SYNOPSIS\n.B ingle %s\n", verb->name);
    help_man_text(f, verb->synopsis);
    fputs(".SH DESCRIPTION\n", f);
    help_man_text(f, verb->about);
    fputs(".SH OPTIONS\n", f);
    for (size_t g = 0; g < verb->n_groups; g++) {
        fprintf(f, ".SS \"%s\"\n", verb->groups[g].title);
        man_rows(f, &verb->groups[g]);
    }
    verb->man(f);
    man_exit_codes(f);
    fputs(".SH SEE ALSO\n.BR ingle (1)\n", f);
    return true;
}

void help_print_man(FILE *f, const cli_verb *const *verbs, size_t n_verbs)
{
    fprintf(f, ".TH INGLE 1 \"\" \"ingle %s\" \"User Commands\"\n", ingle_version());
    fputs(".SH NAME\ningle \\- run large language models on this machine\n.SH SYNOPSIS\n", f);
    fputs(".B ingle\n.I VERB\n[\\fIOPTIONS\\fR]\n.SH DESCRIPTION\n", f);
    help_man_text(f, ABOUT);
    fputs(".SH VERBS\n", f);
    for (size_t i = 0; i < n_verbs; i++) man_verb(f, verbs[i]);
    man_exit_codes(f);
    fputs(".PP\nA reader of standard output that goes away ends the program by SIGPIPE.\n"
          ".SH ENVIRONMENT\n.TP\n.B NO_COLOR\nno colour on the terminal\n.TP\n.B TERM\nwith the "
          "value dumb, neither colour nor a progress line nor editing\n.SH FILES\n.TP\n.I "
          "../share/ingle/models/tiny\\-chat.gguf\nthe bundled model, beside the program's "
          "folder\n",
          f);
    fputs(".SH EXAMPLES\n.nf\ningle run\ningle chat \\-m model.gguf\ningle run \\-m model.gguf "
          "\\-n 100 \"Once upon a time\"\n"
          "ingle run \\-m model.gguf \\-\\-json < prompt.txt\n"
          "ingle run \\-m model.gguf \\-\\-parallel 8 \\-f prompts.jsonl > answers.jsonl\n"
          "ingle run \\-m model.gguf \\-\\-json\\-schema person.json \"Ada was\"\n"
          "ingle grammar chess.gbnf < game.txt\n"
          "ingle inspect model.gguf \\-\\-memory \\-c 32768\n"
          "echo Hello | ingle tokenize model.gguf\n"
          "ingle embed model.gguf < lines.txt\n"
          "ingle score model.gguf \\-f text.txt\n"
          "ingle serve \\-m model.gguf\n"
          "ingle bench \\-m model.gguf \\-p 512 \\-n 64 \\-o md\n"
          "ingle bench \\-m model.gguf \\-\\-requests 1,4,16 \\-\\-svg load.svg\n.fi\n",
          f);
}

/* ---- completion ------------------------------------------------------------------------------ */

static void print_names(FILE *f, const cli_verb *verb)
{
    for (size_t g = 0; g < verb->n_groups; g++) {
        for (size_t r = 0; r < verb->groups[g].n_rows; r++) {
            fprintf(f, " %s", verb->groups[g].rows[r].names);
        }
    }
    fputs(" --help", f);
}

static void completion_bash(FILE *f, const cli_verb *const *verbs, size_t n_verbs)
{
    fputs("# bash completion of ingle; generated by 'ingle help --completion bash'\n_ingle()\n{\n"
          "    local cur=${COMP_WORDS[COMP_CWORD]} words\n"
          "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n        words=\"",
          f);
    for (size_t i = 0; i < n_verbs; i++) fprintf(f, "%s ", verbs[i]->name);
    fputs("help --help --version\"\n    else\n        case ${COMP_WORDS[1]} in\n", f);
    for (size_t i = 0; i < n_verbs; i++) {
        fprintf(f, "        %s) words=\"", verbs[i]->name);
        print_names(f, verbs[i]);
        fputs("\" ;;\n", f);
    }
    fputs("        *) words=\"\" ;;\n        esac\n        [[ $cur == -* ]] || words=\"\"\n    fi\n"
          "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\n"
          "complete -o default -F _ingle ingle\n",
          f);
}

/* Text inside single quotes of zsh or fish, without the characters their specs read. */
static void print_quoted(FILE *f, const char *text)
{
    for (; *text; text++) {
        if (*text == '\'' || *text == '[' || *text == ']' || *text == '\\' || *text == ':') {
            fputc(' ', f);
        } else {
            fputc(*text, f);
        }
    }
}

static void completion_zsh(FILE *f, const cli_verb *const *verbs, size_t n_verbs)
{
    char word[NAME_CAP];
    fputs("#compdef ingle\n# zsh completion of ingle; generated by 'ingle help --completion zsh'\n"
          "if (( CURRENT == 2 )); then\n    local -a verbs=(\n",
          f);
    for (size_t i = 0; i < n_verbs; i++) {
        fprintf(f, "        '%s:", verbs[i]->name);
        print_quoted(f, verbs[i]->summary);
        fputs("'\n", f);
    }
    fputs("    )\n    _describe verb verbs\n    return\nfi\nshift words\n(( CURRENT-- ))\n"
          "case $words[1] in\n",
          f);
    for (size_t i = 0; i < n_verbs; i++) {
        fprintf(f, "%s) _arguments", verbs[i]->name);
        for (size_t g = 0; g < verbs[i]->n_groups; g++) {
            for (size_t r = 0; r < verbs[i]->groups[g].n_rows; r++) {
                const arg_option *row = &verbs[i]->groups[g].rows[r];
                for (const char *names = row->names; help_next_name(&names, word, sizeof word);) {
                    fprintf(f, " \\\n    '*%s[", word);
                    print_quoted(f, row->help);
                    fprintf(f, "]%s'", row->kind == ARG_FLAG ? "" : ":value:_files");
                }
            }
        }
        fputs(" \\\n    '*:file:_files' ;;\n", f);
    }
    fputs("esac\n", f);
}

static void completion_fish(FILE *f, const cli_verb *const *verbs, size_t n_verbs)
{
    char word[NAME_CAP];
    fputs("# fish completion of ingle; generated by 'ingle help --completion fish'\n", f);
    for (size_t i = 0; i < n_verbs; i++) {
        fprintf(f, "complete -c ingle -n __fish_use_subcommand -f -a %s -d '", verbs[i]->name);
        print_quoted(f, verbs[i]->summary);
        fputs("'\n", f);
        for (size_t g = 0; g < verbs[i]->n_groups; g++) {
            for (size_t r = 0; r < verbs[i]->groups[g].n_rows; r++) {
                const arg_option *row = &verbs[i]->groups[g].rows[r];
                fprintf(f, "complete -c ingle -n '__fish_seen_subcommand_from %s'", verbs[i]->name);
                for (const char *names = row->names; help_next_name(&names, word, sizeof word);) {
                    /* -s one letter, -o an old-style long option, -l a long option */
                    const char *kind = word[1] == '-' ? "-l" : word[2] ? "-o" : "-s";
                    fprintf(f, " %s %s", kind, word + (word[1] == '-' ? 2 : 1));
                }
                fprintf(f, "%s -d '", row->kind == ARG_FLAG ? "" : " -r");
                print_quoted(f, row->help);
                fputs("'\n", f);
            }
        }
    }
}

bool help_print_completion(FILE *f, const char *shell, const cli_verb *const *verbs, size_t n_verbs)
{
    if (strcmp(shell, "bash") == 0) {
        completion_bash(f, verbs, n_verbs);
    } else if (strcmp(shell, "zsh") == 0) {
        completion_zsh(f, verbs, n_verbs);
    } else if (strcmp(shell, "fish") == 0) {
        completion_fish(f, verbs, n_verbs);
    } else {
        return false;
    }
    return true;
}
