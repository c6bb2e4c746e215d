/* main.c - finds the verb and runs it. Owns the table of verbs; everything else is in their files.
 */
#include "out.h"
#include "platform.h"
#include "verbs.h"

#include "base/distance.h"

#include <ingle.h>
#include <stdio.h>
#include <string.h>

static const cli_verb *const VERBS[] = {&cli_verb_run,     &cli_verb_chat,     &cli_verb_serve,
                                        &cli_verb_inspect, &cli_verb_tokenize, &cli_verb_logits,
                                        &cli_verb_embed,   &cli_verb_score,    &cli_verb_template,
                                        &cli_verb_grammar, &cli_verb_bench};
enum { N_VERBS = sizeof VERBS / sizeof *VERBS };

static const cli_verb *find_verb(const char *name)
{
    for (size_t i = 0; i < N_VERBS; i++) {
        if (strcmp(VERBS[i]->name, name) == 0) return VERBS[i];
    }
    return NULL;
}

static int refuse_verb(const char *name)
{
    const cli_verb *near = NULL;
    size_t best = strlen(name) / 3 + 2;
    for (size_t i = 0; i < N_VERBS; i++) {
        size_t distance =
            ingle_distance(name, strlen(name), VERBS[i]->name, strlen(VERBS[i]->name));
        if (distance < best) best = distance, near = VERBS[i];
    }
    if (near) {
        out_error("unknown verb '%s' (did you mean '%s'?); see 'ingle --help'", name, near->name);
    } else {
        out_error("unknown verb '%s'; see 'ingle --help'", name);
    }
    return EXIT_USAGE;
}

/* ingle help [VERB]; for the build: ingle help --man [VERB], ingle help --completion SHELL */
static int help_main(int argc, char **argv)
{
    if (argc == 0) {
        help_print_overview(stdout, VERBS, N_VERBS);
    } else if (strcmp(argv[0], "--man") == 0 && argc == 1) {
        help_print_man(stdout, VERBS, N_VERBS);
    } else if (strcmp(argv[0], "--man") == 0 && argc == 2) {
        const cli_verb *verb = find_verb(argv[1]);
        if (!verb) return refuse_verb(argv[1]);
        if (!help_print_man_verb(stdout, verb)) {
            out_error("help: '%s' has no man page of its own; see ingle(1)", argv[1]);
            return EXIT_USAGE;
        }
    } else if (strcmp(argv[0], "--completion") == 0 && argc == 2) {
        if (!help_print_completion(stdout, argv[1], VERBS, N_VERBS)) {
            out_error("help: no completion for '%s': bash, zsh or fish", argv[1]);
            return EXIT_USAGE;
        }
    } else if (argc == 1) {
        const cli_verb *verb = find_verb(argv[0]);
        if (!verb) return refuse_verb(argv[0]);
        help_print(stdout, verb);
    } else {
        out_error("help: one verb at most");
        return EXIT_USAGE;
    }
    return EXIT_DONE;
}

int main(int argc, char **argv)
{
    platform_init();
    if (argc < 2) {
        help_print_overview(stderr, VERBS, N_VERBS);
        return EXIT_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) name = "help";
    if (strcmp(name, "help") == 0) return out_finish(help_main(argc - 2, argv + 2));
    if (strcmp(name, "--version") == 0 || strcmp(name, "version") == 0) {
        printf("ingle %s\n", ingle_version());
        return out_finish(EXIT_DONE);
    }
    const cli_verb *verb = find_verb(name);
    return verb ? verb->main(verb, argc - 2, argv + 2) : refuse_verb(name);
}
