/* serve_man.c - what ingle-serve(1) has beside the options: other servers' options, environment, file,
 * signals, examples. Depends on serve_layers.h. */
#include "serve_layers.h"

#include <string.h>

static void put_names(FILE *f, const char *names)
{
    char word[64];
    fputs(".TP\n.B ", f);
    char line[256] = "";
    while (help_next_name(&names, word, sizeof word)) {
        size_t at = strlen(line);
        snprintf(line + at, sizeof line - at, "%s%s", at ? ", " : "", word);
    }
    help_man_text(f, line);
}

static void put_peers(FILE *f, bool accepted)
{
    for (size_t i = 0; i < SERVE_N_PEERS; i++) {
        const peer_option *peer = &serve_peers[i];
        if (peer->accepted != accepted) continue;
        put_names(f, peer->names);
        help_man_text(f, peer->why ? peer->why : "no effect");
    }
}

static void put_environment(FILE *f)
{
    const char *variable, *options;
    fputs(".SH ENVIRONMENT\n", f);
    help_man_text(f,
                  "INGLE_ and the long name of an option, in capitals and with _ for -, sets that "
                  "option: INGLE_MODEL, INGLE_PORT, INGLE_API_KEY, INGLE_CONFIG. Options without "
                  "a value take on or off. After these count, in this order:");
    for (size_t i = 0; serve_variable_at(i, &variable, &options); i++) {
        fputs(".TP\n.B ", f);
        help_man_text(f, variable);
        help_man_text(f, options);
    }
    fputs(".PP\n", f);
    help_man_text(f, "Other variables that begin with INGLE_, LLAMA_ARG_ or OLLAMA_ are named in a "
                     "note. OLLAMA_HOST without a port means port 11434.");
}

void serve_man(FILE *f)
{
    fputs(".SH OPTIONS OF OTHER SERVERS\nThese are accepted, as they cannot change an answer:\n",
          f);
    put_peers(f, true);
    fputs(".PP\nThese are refused:\n", f);
    put_peers(f, false);
    put_environment(f);
    fputs(".SH CONFIGURATION FILE\n.nf\n# everything the server has\n[*]\nlisten = "
          "127.0.0.1:8080\napi\\-key\\-file = /etc/ingle/keys\n\n# a model, and its name\n"
          "[qwen3]\nmodel = /srv/models/qwen3.gguf\nctx = 32768\n.fi\n.PP\n",
          f);
    help_man_text(
        f, "Keys are names of options without their dashes; options of the server belong "
           "under [*], where those of the model may be too. Comments begin with # or ; at "
           "the beginning of a line or after a blank; values in double quotes may contain "
           "them. An unknown key is an error. Paths count from the folder that the server is "
           "started in.");
    fputs(".SH SIGNALS\n.TP\n.B SIGTERM, SIGINT\n", f);
    help_man_text(f, "end the server: it takes no more requests, those that run have --grace "
                     "seconds; a second signal ends them");
    fputs(".TP\n.B SIGHUP\n", f);
    help_man_text(f, "reads keys and certificates again");
    fputs(".SH EXAMPLES\n.nf\ningle serve\ningle serve \\-m model.gguf \\-a my\\-model \\-c 32768\n"
          "ingle serve \\-m model.gguf \\-\\-listen unix:/run/ingle.sock \\-\\-unix\\-mode 0660\n"
          "ingle serve \\-m model.gguf \\-\\-host 0.0.0.0 \\-\\-api\\-key\\-file keys "
          "\\-\\-tls\\-cert cert.pem \\-\\-tls\\-key key.pem\n"
          "ingle serve \\-\\-config serve.ini \\-\\-check\n.fi\n",
          f);
}
