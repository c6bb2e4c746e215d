# `ingle inspect`: text for people, JSON for programs, memory that adds up.
. "$(dirname "$0")/lib.sh"

ingle inspect
code_is "inspect" 0
out_has "inspect" "architecture  llama"
out_has "inspect" "general.architecture"
ingle inspect --tensors "$MODEL"
out_has "--tensors" "token_embd.weight"
ingle inspect --plan
code_is "--plan" 0
out_has "--plan" "EMBED"
out_has "--plan" "HEAD"
ingle inspect --json --plan --memory --tensors
code_is "--json" 0
json_is "one object" "len(lines) == 1 and {'file', 'plan', 'memory', 'tensors'} <= set(lines[0])"
json_is "memory adds up" "(lambda m: m['total'] == m['weights'] + m['vocab'] + m['kv'] + m['scratch'])(lines[0]['memory'])"
json_is "homes add up" "(lambda m, h: [x['name'] for x in h] == ['cpu'] and all(m[k] == sum(x[k] for x in h) for k in ('weights', 'kv', 'state', 'mapped')) and all(x['total'] == x['weights'] + x['kv'] + x['state'] + x['scratch'] for x in h) and 0 < sum(x['scratch'] for x in h) < m['scratch'])(lines[0]['memory'], lines[0]['memory']['homes'])"
json_is "tensors" "len(lines[0]['tensors']) == lines[0]['n_tensors'] and sum(t['bytes'] for t in lines[0]['tensors']) == lines[0]['n_bytes']"
ingle inspect --json
json_is "metadata in full" "len(lines[0]['metadata']['tokenizer.ggml.tokens']) == 2048 and lines[0]['metadata']['general.architecture'] == 'llama'"

ingle inspect --json --memory --in-place
json_is "in place: weights are mapped, not taken" "(lambda m, n: m['weights'] < 65536 and n < m['mapped'] < n + 200000 and m['total'] == m['weights'] + m['vocab'] + m['kv'] + m['scratch'])(lines[0]['memory'], lines[0]['n_bytes'] - 65536)"
ingle inspect --memory --in-place
out_has "in place: what is mapped" "  mapped "
out_has "in place: what homes map" "     scratch       total      mapped"
ingle inspect --memory
check "nothing is mapped otherwise" test "$(grep -c mapped "$WORK/out")" -eq 0
out_has "a line per home" "Homes        weights          kv     scratch       total"
check "it has a size in each column" test "$(grep -c '^  cpu  *[0-9.]* .iB  *[0-9.]* .iB  *[0-9.]* .iB  *[0-9.]* .iB$' "$WORK/out")" -eq 1

ingle inspect
out_has "family" "family        llama"
out_has "features" "RMS norm, RoPE in pairs, SiLU gate, 2 query heads per key head"
out_has "template family" "template      chatml"
out_has "bits" "8.51 bits per weight"
out_has "memory for the default context" "with a context of 1024 tokens"
out_has "it runs" "runs          yes"
ingle inspect -c 256
out_has "memory for a given context" "with a context of 256 tokens"
ingle inspect --json
json_is "family in JSON" "lines[0]['family'] == 'llama' and 'SiLU gate' in lines[0]['features'] and lines[0]['runs'] is True and lines[0]['template'] == 'chatml'"
json_is "a decoder" "not (lines[0]['encoder'] or lines[0]['recurrent'] or lines[0]['hybrid'])"
ingle inspect --json "$INGLE_SOURCE/tests/golden/data/bert-cls.gguf"
json_is "an encoder" "lines[0]['encoder'] and not lines[0]['recurrent']"
for model in lfm2:hybrid qwen3next:hybrid mamba2:recurrent; do
    file=${INGLE_DATA:-/nowhere}/golden/models/${model%:*}.gguf
    [ -e "$file" ] || { echo "skipped: no corpus for '$model'"; continue; }
    ingle inspect --json --memory "$file"
    json_is "$model: states of its home" "lines[0]['memory']['state'] == lines[0]['memory']['homes'][0]['state'] > 0"
    ingle inspect --memory "$file"
    out_has "$model: a column of states" "          kv       state     scratch"
    ingle inspect --json "$file"
    json_is "$model" "[k for k in ('encoder', 'recurrent', 'hybrid') if lines[0][k]] == ['${model#*:}']"
done

# An architecture that nobody knows, with a tensor that nobody knows.
LC_ALL=C sed 's/llama\./klama./g; s/\(general.architecture.\{12\}\)llama/\1klama/; s/attn_output/attn_outpux/g' "$MODEL" >"$WORK/klama.gguf"
ingle inspect "$WORK/klama.gguf"
code_is "unknown architecture" 0
out_has "its name" "architecture  klama"
out_has "the nearest" "nearest       llama"
out_has "what that one does not know" "unknown       1 tensor name: blk.*.attn_outpux.weight"
out_has "why it does not run" "does not run  architecture 'klama' is not supported"
ingle inspect --json "$WORK/klama.gguf"
json_is "unknown in JSON" "lines[0]['nearest'] == 'llama' and lines[0]['unknown'] == ['blk.*.attn_outpux.weight'] and lines[0]['runs'] is False and 'klama' in lines[0]['why']"
ingle inspect --plan "$WORK/klama.gguf"
code_is "no plan of it" 3
err_has "nor of it" "architecture 'klama' is not supported; the nearest that is: 'llama', which does not know blk.*.attn_outpux.weight"
ingle run -m "$WORK/klama.gguf" -p x
code_is "nor does it run" 3

ingle inspect --families
code_is "--families" 0
out_has "a family" "falcon           LayerNorm, RoPE in halves, GELU (exact) without gate, parallel residual"
ingle inspect --families --json
json_is "--families --json" "'learned positions' in lines[0]['gpt2'] and len(lines[0]) > 40"

kv_bytes() { ingle inspect --json --memory "$@"; code_is "$*" 0; sed -n 's/.*"memory":{[^[]*"kv":\([0-9]*\).*/\1/p' "$WORK/out"; }
f16=$(kv_bytes -c 512)
check "KV grows with the context" test "$(kv_bytes -c 1024)" -gt "$f16"
check "KV of f32 is twice that of f16" test "$(kv_bytes -c 512 --kv f32)" -eq $((2 * f16))
check "KV of bf16 is that of f16" test "$(kv_bytes -c 512 -ctk bf16 -ctv bf16)" -eq "$f16"
check "KV of q8_0 is smaller" test "$(kv_bytes -c 512 --kv q8_0)" -lt "$f16"
check "-c 0 is the model's context" test "$(kv_bytes -c 0)" -eq "$(kv_bytes -c 1024)"
finish
