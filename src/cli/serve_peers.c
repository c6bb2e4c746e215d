/* serve_peers.c - options that people have in scripts for other servers. Those that cannot change an
 * answer are accepted; the others are refused with what to use instead. Before those of peers.c. */
#include "serve_settings.h"

static const char NO_GPU[] = "this build computes on the CPU alone";
static const char NO_LORA[] = "adapters are not served; merge them into the model file";
static const char NO_DRAFT[] = "there is no drafting with a second model";
static const char NO_DOWNLOAD[] = "nothing is downloaded; give the file with -m";

const peer_option serve_peers[] = {
    /* without effect */
    {"-cb --cont-batching", PEER_FLAG, true, NULL},
    {"-nocb --no-cont-batching", PEER_FLAG, true, "requests always share steps"},
    {"-kvu --kv-unified", PEER_FLAG, true, NULL},
    {"--no-kv-unified -no-kvu", PEER_FLAG, true,
     "requests share one cache, and each has the whole context"},
    {"--cache-prompt", PEER_FLAG, true, NULL},
    {"--cache-reuse", PEER_VALUE, true, "what prompts begin with alike is always reused"},
    {"-cram --cache-ram", PEER_VALUE, true,
     "what was computed of prompts is kept where the KV cache has room"},
    {"-ctxcp --ctx-checkpoints --swa-checkpoints", PEER_VALUE, true, NULL},
    {"--swa-full", PEER_FLAG, true, NULL},
    {"-sps --slot-prompt-similarity", PEER_VALUE, true, NULL},
    {"--threads-http", PEER_VALUE, true, "one thread is enough for HTTP"},
    {"--jinja", PEER_FLAG, true, NULL},
    {"--no-jinja", PEER_FLAG, true, "templates are always interpreted as Jinja"},
    {"--metrics", PEER_FLAG, true, "counters are not served; the log has a line for every request"},
    {"--slots --props", PEER_FLAG, true, "neither is served"},
    {"--webui --ui", PEER_FLAG, true, "there is no page"},
    {"--no-slots --no-webui --no-ui", PEER_FLAG, true, NULL},
    {"--prefill-assistant", PEER_FLAG, true, NULL},
    {"-lv --verbosity --log-verbosity", PEER_VALUE, true, "-v prints more, --quiet less"},
    {"--log-disable", PEER_FLAG, true, "--log-file '' keeps no log of requests"},
    {"--log-colors", PEER_MAYBE, true, NULL},
    {"--log-prefix --no-log-prefix --log-timestamps --no-log-timestamps", PEER_FLAG, true, NULL},
    {"--offline", PEER_FLAG, true, NULL},
    {"--check-tensors", PEER_FLAG, true, NULL},
    {"-dev --device", PEER_VALUE, true, NO_GPU},
    {"-ot --override-tensor -ncmoe --n-cpu-moe", PEER_VALUE, true, NO_GPU},
    {"-cmoe --cpu-moe --op-offload --no-op-offload --no-host", PEER_FLAG, true, NO_GPU},
    {"--prio --poll --prio-batch --poll-batch", PEER_VALUE, true,
     "threads are left to the system's scheduler"},
    /* of effect */
    {"--lora --lora-scaled", PEER_VALUE, false, NO_LORA},
    {"--lora-init-without-apply", PEER_FLAG, false, NO_LORA},
    {"-md --model-draft --spec-type -hfd --hf-repo-draft", PEER_VALUE, false, NO_DRAFT},
    {"--draft --draft-n --draft-max --spec-draft-n-max --draft-min --draft-p-min", PEER_VALUE,
     false, NO_DRAFT},
    {"--slot-save-path", PEER_VALUE, false,
     "sequences are not saved to files; prompts stay in memory while there is room"},
    {"--embedding --embeddings", PEER_FLAG, false, "'ingle embed' turns texts into vectors"},
    {"--rerank --reranking", PEER_FLAG, false, "'ingle embed --pooling rank' ranks texts"},
    {"--pooling", PEER_VALUE, false, "'ingle embed' turns texts into vectors"},
    {"-mm --mmproj --mmproj-url -mmu", PEER_VALUE, false, "models read text alone"},
    {"-hf -hfr --hf-repo -hff --hf-file -mu --model-url", PEER_VALUE, false, NO_DOWNLOAD},
    {"--models-dir --models-preset --models-max", PEER_VALUE, false,
     "one model is served: -m, or a section of --config"},
    {"--api-prefix --path", PEER_VALUE, false, "a reverse proxy does that"},
    {"--rope-scaling --rope-scale --rope-freq-base --rope-freq-scale --yarn-orig-ctx", PEER_VALUE,
     false, "--override-kv sets metadata of the model"},
};
