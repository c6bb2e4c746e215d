/* syntax.c - the tables of thinking and of calls (syntax.h).
 * Facts are taken from the templates of the models and from their makers' pages. A line that lists
 * more signs stands before one that lists fewer of them. */
#include "chat/syntax.h"

#include <string.h>

#define N_OF(array) (sizeof(array) / sizeof *(array))

/* The marks of DeepSeek contain U+FF5C and U+2581. */
#define BAR   "\xef\xbd\x9c"
#define BLANK "\xe2\x96\x81"
#define DS(a) "<" BAR a BAR ">"
#define DSML  BAR "DSML" BAR
#define HY    ":opensource"
#define MM    "]<]minimax[>["

static const ingle_thinking thinkings[] = {
    {.name = "harmony",
     .signs = {.all = {"<|channel|>", "analysis"}},
     .harmony = true,
     .anywhere = true},
    {.name = "channel-thought",
     .signs = {.all = {"<|channel>"}},
     .open = {"<|channel>thought"},
     .close = {"<channel|>"},
     .anywhere = true},
    {.name = "seed",
     .signs = {.all = {"<seed:think>"}},
     .open = {"<seed:think>"},
     .close = {"</seed:think>"},
     .anywhere = true},
    {.name = "mm",
     .signs = {.all = {"<mm:think>"}},
     .open = {"<mm:think>"},
     .close = {"</mm:think>"},
     .anywhere = true},
    {.name = "hy",
     .signs = {.all = {"think_begin_token", HY}},
     .open = {"<think" HY ">"},
     .close = {"</think" HY ">"},
     .anywhere = true},
    {.name = "start-thinking-text",
     .signs = {.all = {"<|START_THINKING|>", "<|START_TEXT|>"}},
     .open = {"<|START_THINKING|>"},
     .close = {"<|END_THINKING|>"},
     .passed_over = {"<|START_TEXT|>", "<|END_TEXT|>"},
     .anywhere = true},
    {.name = "start-thinking",
     .signs = {.all = {"<|START_THINKING|>"}},
     .open = {"<|START_THINKING|>"},
     .close = {"<|END_THINKING|>"},
     .passed_over = {"<|START_RESPONSE|>", "<|END_RESPONSE|>"},
     .anywhere = true},
    {.name = "inner",
     .signs = {.all = {"<|inner_prefix|>"}},
     .open = {"<|inner_prefix|>"},
     .close = {"<|inner_suffix|>"},
     .anywhere = true},
    {.name = "solar",
     .signs = {.all = {"assistant<|think|>", "<|content|>"}},
     .open = {"<|think|>"},
     .close = {"<|end|>"},
     .passed_over = {"<|content|>", "<|begin|>assistant"},
     .anywhere = true},
    {.name = "steps",
     .signs = {.all = {"[BEGIN FINAL RESPONSE]"}},
     .open = {"Here are my reasoning steps:"},
     .close = {"[BEGIN FINAL RESPONSE]"},
     .passed_over = {"[END FINAL RESPONSE]"}},
    {.name = "bracket",
     .signs = {.all = {"[THINK]"}},
     .open = {"[THINK]"},
     .close = {"[/THINK]"},
     .anywhere = true},
    {.name = "think-response",
     .signs = {.all = {"<think></think>", "<response></response>"}},
     .open = {"<think>"},
     .close = {"</think>"},
     .passed_over = {"<response>", "</response>"}},
    {.name = "think", .signs = {.all = {"</think>"}}, .open = {"<think>"}, .close = {"</think>"}},
};

/* Members that nearly all OBJECT kinds share. */
#define NAME_ARGUMENTS .key_name = "name", .key_args = "arguments", .key_id = "id"

static const ingle_call_syntax syntaxes[] = {
    {.name = "harmony",
     .kind = INGLE_CALL_HARMONY,
     .signs = {.all = {"<|channel|>", "commentary", "to="}},
     .section = " to=functions.",
     .one = true},

    /* ---- a name, then key and value for each argument ---- */
    {.name = "dsml-function-calls",
     .kind = INGLE_CALL_TAGGED,
     .signs = {.all = {BAR "DSML" BAR, "function_calls>"}},
     .section = "<" DSML "function_calls>",
     .section_close = "</" DSML "function_calls>",
     .open = "<" DSML "invoke name=\"",
     .head = {{INGLE_HEAD_NAME, "\">", NULL}},
     .key = "<" DSML "parameter name=\"",
     .key_end = "\" string=\"",
     .kind_end = "\">",
     .value_end = "</" DSML "parameter>",
     .close = "</" DSML "invoke>"},
    {.name = "dsml-tool-calls",
     .kind = INGLE_CALL_TAGGED,
     .signs = {.all = {BAR "DSML" BAR, "tool_calls>"}},
     .section = "<" DSML "tool_calls>",
     .section_close = "</" DSML "tool_calls>",
     .open = "<" DSML "invoke name=\"",
     .head = {{INGLE_HEAD_NAME, "\">", NULL}},
     .key = "<" DSML "parameter name=\"",
     .key_end = "\" string=\"",
     .kind_end = "\">",
     .value_end = "</" DSML "parameter>",
     .close = "</" DSML "invoke>"},
    {.name = "seed",
     .kind = INGLE_CALL_TAGGED,
     .signs = {.all = {"<seed:tool_call>", "<function=", "<parameter="}},
     .section = "<seed:tool_call>",
     .section_close = "</seed:tool_call>",
     .open = "<function=",
     .head = {{INGLE_HEAD_NAME, ">", NULL}},
     .key = "<parameter=",
     .key_end = ">",
     .value_end = "</parameter>",
     .close = "</function>"},
    {.name = "minimax",
     .kind = INGLE_CALL_TAGGED,
     .signs = {.all = {"<minimax:tool_call>", "<invoke name=", "<parameter name="}},
     .section = "<minimax:tool_call>",
     .section_close = "</minimax:tool_call>",
     .open = "<invoke name=\"",
     .head = {{INGLE_HEAD_NAME, "\">", NULL}},
     .key = "<parameter name=\"",
     .key_end = "\">",
     .value_end = "</parameter>",
     .close = "</invoke>"},
    {.name = "minimax-3",
     .kind = INGLE_CALL_TAGGED,
     .values = INGLE_VALUES_NESTED,
     .signs = {.all = {MM, "<invoke name="}},
     .section = MM "<tool_call>",
     .section_close = MM "</tool_call>",
     .open = MM "<invoke name=\"",
     .head = {{INGLE_HEAD_NAME, "\">", NULL}},
     .key = MM "<",
     .key_end = ">",
     .value_end = MM "</", /* the key and > follow */
     .close = MM "</invoke>"},
    {.name = "function-param",
     .kind = INGLE_CALL_TAGGED,
     .signs = {.all = {"<function name=", "<param name="}},
     .open = "<function name=\"",
     .head = {{INGLE_HEAD_NAME, "\">", NULL}},
     .key = "<param name=\"",
     .key_end = "\">",
     .value_end = "</param>",
     .close = "</function>",
     .cdata = true},
    {.name = "function-parameter",
     .kind = INGLE_CALL_TAGGED,
     .signs = {.all = {"<tool_call>", "<function=", "<parameter="}},
     .section = "<tool_call>",
     .section_close = "</tool_call>",
     .open = "<function=",
     .head = {{INGLE_HEAD_NAME, ">", NULL}},
     .key = "<parameter=",
     .key_end = ">",
     .value_end = "</parameter>",
     .close = "</function>",
     .trim = true},
    {.name = "hy",
     .kind = INGLE_CALL_TAGGED,
     .signs = {.all = {"<arg_key{}>", "<tool_calls{}>", HY}},
     .section = "<tool_calls" HY ">",
     .section_close = "</tool_calls" HY ">",
     .open = "<tool_call" HY ">",
     .head = {{INGLE_HEAD_NAME, "<tool_sep" HY ">", NULL}},
     .key = "<arg_key" HY ">",
     .key_end = "</arg_key" HY ">",
     .value_open = "<arg_value" HY ">",
     .value_end = "</arg_value" HY ">",
     .close = "</tool_call" HY ">"},
    {.name = "arg-key",
     .kind = INGLE_CALL_TAGGED,
     .signs = {.all = {"<tool_call>", "<arg_key>", "<arg_value>"}},
     .open = "<tool_call>",
     .head = {{INGLE_HEAD_NAME, "\n", NULL}},
     .key = "<arg_key>",
     .key_end = "</arg_key>",
     .value_open = "<arg_value>",
     .value_end = "</arg_value>",
     .close = "</tool_call>"},

    /* ---- a name, then an object ---- */
    {.name = "call-brace",
     .kind = INGLE_CALL_NAMED,
     .values = INGLE_VALUES_BARE,
     .signs = {.all = {"<|tool_call>call:"}},
     .open = "<|tool_call>call:",
     .head = {{INGLE_HEAD_NAME, "{", NULL}},
     .brace = true,
     .quote = "<|\"|>",
     .close = "<tool_call|>"},
    {.name = "start-function-call",
     .kind = INGLE_CALL_NAMED,
     .values = INGLE_VALUES_BARE,
     .signs = {.all = {"<start_function_call>"}},
     .open = "<start_function_call>call:",
     .head = {{INGLE_HEAD_NAME, "{", NULL}},
     .brace = true,
     .quote = "<escape>",
     .close = "<end_function_call>"},
    {.name = "mistral-id",
     .kind = INGLE_CALL_NAMED,
     .signs = {.all = {"[TOOL_CALLS]", "[CALL_ID]", "[ARGS]"}},
     .open = "[TOOL_CALLS]",
     .head = {{INGLE_HEAD_NAME, "[CALL_ID]", NULL}, {INGLE_HEAD_ID, "[ARGS]", NULL}},
     .args = "[ARGS]",
     .objects = true,
     NAME_ARGUMENTS},
    {.name = "mistral-args",
     .kind = INGLE_CALL_NAMED,
     .signs = {.all = {"[TOOL_CALLS]", "[ARGS]"}},
     .open = "[TOOL_CALLS]",
     .head = {{INGLE_HEAD_NAME, "[CALL_ID]", NULL}, {INGLE_HEAD_ID, "[ARGS]", NULL}},
     .args = "[ARGS]",
     .objects = true,
     NAME_ARGUMENTS},
    {.name = "kimi",
     .kind = INGLE_CALL_NAMED,
     .signs = {.all = {"<|tool_call_begin|>", "<|tool_call_argument_begin|>"}},
     .section = "<|tool_calls_section_begin|>",
     .section_close = "<|tool_calls_section_end|>",
     .open = "<|tool_call_begin|>",
     .head = {{INGLE_HEAD_NAME_ID, "<|tool_call_argument_begin|>", NULL}},
     .close = "<|tool_call_end|>"},
    {.name = "deepseek-fence",
     .kind = INGLE_CALL_NAMED,
     .signs = {.all = {DS("tool" BLANK "call" BLANK "begin"), "```json"}},
     .section = DS("tool" BLANK "calls" BLANK "begin"),
     .section_close = DS("tool" BLANK "calls" BLANK "end"),
     .open = DS("tool" BLANK "call" BLANK "begin"),
     .head = {{INGLE_HEAD_SKIP, DS("tool" BLANK "sep"), "function"},
              {INGLE_HEAD_NAME, "```json", NULL}},
     .tail = "```",
     .close = DS("tool" BLANK "call" BLANK "end")},
    {.name = "deepseek",
     .kind = INGLE_CALL_NAMED,
     .signs = {.all = {DS("tool" BLANK "call" BLANK "begin"), DS("tool" BLANK "sep")}},
     .section = DS("tool" BLANK "calls" BLANK "begin"),
     .section_close = DS("tool" BLANK "calls" BLANK "end"),
     .open = DS("tool" BLANK "call" BLANK "begin"),
     .head = {{INGLE_HEAD_NAME, DS("tool" BLANK "sep"), NULL}},
     .close = DS("tool" BLANK "call" BLANK "end")},
    {.name = "solar",
     .kind = INGLE_CALL_NAMED,
     .signs = {.all = {"<|tool_call:begin|>", "<|tool_call:args|>"}},
     .section = "<|tool_calls|>",
     .section_close = "<|calls|>",
     .open = "<|tool_call:begin|>",
     .head = {{INGLE_HEAD_ID, "<|tool_call:name|>", NULL},
              {INGLE_HEAD_NAME, "<|tool_call:args|>", NULL}},
     .close = "<|tool_call:end|>"},
    {.name = "mcp",
     .kind = INGLE_CALL_NAMED,
     .signs = {.all = {"<use_mcp_tool>", "<tool_name>"}},
     .section = "<use_mcp_tool>",
     .section_close = "</use_mcp_tool>",
     .open = "<server_name>",
     .head = {{INGLE_HEAD_SKIP, "</server_name>", NULL},
              {INGLE_HEAD_SKIP, "<tool_name>", ""},
              {INGLE_HEAD_NAME, "</tool_name>", NULL},
              {INGLE_HEAD_SKIP, "<arguments>", ""}},
     .close = "</arguments>"},
    {.name = "recipient",
     .kind = INGLE_CALL_NAMED,
     .signs = {.all = {">>>all", ">>>"}},
     .open = ">>>",
     .head = {{INGLE_HEAD_NAME, "\n", NULL}},
     .opened = true,
     .no_call = "all"},
    {.name = "function-json",
     .kind = INGLE_CALL_NAMED,
     .signs = {.all = {"<function=", "</function>"}},
     .open = "<function=",
     .head = {{INGLE_HEAD_NAME, ">", NULL}},
     .close = "</function>"},

    /* ---- Python ---- */
    {.name = "python-marks",
     .kind = INGLE_CALL_PYTHON,
     .list = true,
     .signs = {.all = {"<|tool_call_start|>"}},
     .section = "<|tool_call_start|>",
     .section_close = "<|tool_call_end|>",
     .objects = true,
     NAME_ARGUMENTS},

    /* ---- objects ---- */
    {.name = "mistral-list",
     .kind = INGLE_CALL_OBJECT,
     .list = true,
     .signs = {.all = {"[TOOL_CALLS]"}},
     .section = "[TOOL_CALLS]",
     NAME_ARGUMENTS},
    {.name = "toolcall-list",
     .kind = INGLE_CALL_OBJECT,
     .list = true,
     .signs = {.all = {"<TOOLCALL>"}},
     .section = "<TOOLCALL>",
     .section_close = "</TOOLCALL>",
     NAME_ARGUMENTS},
    {.name = "tools-prefix",
     .kind = INGLE_CALL_OBJECT,
     .list = true,
     .signs = {.all = {"<|tools_prefix|>"}},
     .section = "<|tools_prefix|>",
     .section_close = "<|tools_suffix|>",
     .keyed = true},
    {.name = "start-action",
     .kind = INGLE_CALL_OBJECT,
     .list = true,
     .id_first = true,
     .signs = {.all = {"<|START_ACTION|>"}},
     .section = "<|START_ACTION|>",
     .section_close = "<|END_ACTION|>",
     .key_name = "tool_name",
     .key_args = "parameters",
     .key_id = "tool_call_id"},
    {.name = "action-fence",
     .kind = INGLE_CALL_OBJECT,
     .list = true,
     .prose = true,
     .signs = {.all = {"Action:", "```json", "tool_name"}},
     .section = "Action:",
     .open = "```json", /* must follow */
     .section_close = "```",
     .key_name = "tool_name",
     .key_args = "parameters",
     .no_call = "directly-answer"},
    {.name = "functools",
     .kind = INGLE_CALL_OBJECT,
     .list = true,
     .prose = true,
     .signs = {.all = {"functools["}},
     .section = "functools",
     NAME_ARGUMENTS},
    {.name = "function-call",
     .kind = INGLE_CALL_OBJECT,
     .signs = {.all = {"<|function_call|>"}},
     .section = "<|function_call|>",
     .section_close = "<|message_sep|>",
     NAME_ARGUMENTS},
    {.name = "function-call-role",
     .kind = INGLE_CALL_OBJECT,
     .signs = {.all = {"'function call'", "<|role_sep|>"}},
     .section = "function call<|role_sep|>",
     .section_close = "<|message_sep|>",
     NAME_ARGUMENTS},
    {.name = "tool-calls-list",
     .kind = INGLE_CALL_OBJECT,
     .list = true,
     .signs = {.all = {"<tool_calls>["}},
     .section = "<tool_calls>",
     .section_close = "</tool_calls>",
     NAME_ARGUMENTS},
    {.name = "tool-call",
     .kind = INGLE_CALL_OBJECT,
     .signs = {.all = {"<tool_call>", "</tool_call>"}},
     .section = "<tool_call>",
     .section_close = "</tool_call>",
     NAME_ARGUMENTS},
    {.name = "tool-call-bar",
     .kind = INGLE_CALL_OBJECT,
     .list = true,
     .signs = {.all = {"<|tool_call|>"}},
     .section = "<|tool_call|>",
     .section_close = "<|/tool_call|>",
     NAME_ARGUMENTS},
    {.name = "python-tag",
     .kind = INGLE_CALL_OBJECT,
     .signs = {.all = {"<|python_tag|>", "parameters"}},
     .section = "<|python_tag|>",
     .key_name = "name",
     .key_args = "parameters"},

    /* ---- found by no sign ---- */
    {.name = "python-tag-call", /* beside python-tag: brave_search.call(query="...") */
     .kind = INGLE_CALL_PYTHON,
     .section = "<|python_tag|>"},
    {.name = "python-list", .kind = INGLE_CALL_PYTHON, .list = true, .strict = true},
    {.name = "fence",
     .kind = INGLE_CALL_OBJECT,
     .prose = true,
     .section = "```json",
     .section_close = "```",
     .strict = true,
     NAME_ARGUMENTS},
    {.name = "object", .kind = INGLE_CALL_OBJECT, .strict = true, .between = ";", NAME_ARGUMENTS},
};

const ingle_call_syntax *ingle_call_syntax_at(size_t i)
{
    return i < N_OF(syntaxes) ? &syntaxes[i] : NULL;
}

const ingle_thinking *ingle_thinking_at(size_t i)
{
    return i < N_OF(thinkings) ? &thinkings[i] : NULL;
}

const ingle_call_syntax *ingle_call_syntax_named(const char *name)
{
    for (size_t i = 0; name && i < N_OF(syntaxes); i++)
        if (!strcmp(syntaxes[i].name, name)) return &syntaxes[i];
    return NULL;
}

const ingle_thinking *ingle_thinking_named(const char *name)
{
    for (size_t i = 0; name && i < N_OF(thinkings); i++)
        if (!strcmp(thinkings[i].name, name)) return &thinkings[i];
    return NULL;
}

bool ingle_text_in(const char *text, const char *p, size_t n)
{
    size_t len = strlen(text);
    while (n >= len) {
        const char *hit = memchr(p, text[0], n - len + 1);
        if (!hit) return false;
        if (!memcmp(hit, text, len)) return true;
        n -= (size_t)(hit + 1 - p);
        p = hit + 1;
    }
    return false;
}

bool ingle_signs_in(const ingle_signs *signs, const char *p, size_t n)
{
    if (!signs->all[0]) return false;
    for (size_t i = 0; i < INGLE_SYNTAX_SIGNS && signs->all[i]; i++)
        if (!ingle_text_in(signs->all[i], p, n)) return false;
    for (size_t i = 0; i < INGLE_SYNTAX_SIGNS && signs->none[i]; i++)
        if (ingle_text_in(signs->none[i], p, n)) return false;
    return true;
}

const ingle_call_syntax *ingle_call_syntax_in(const char *template_text, size_t n)
{
    for (size_t i = 0; i < N_OF(syntaxes); i++)
        if (ingle_signs_in(&syntaxes[i].signs, template_text, n)) return &syntaxes[i];
    return NULL;
}

const ingle_thinking *ingle_thinking_in(const char *template_text, size_t n)
{
    for (size_t i = 0; i < N_OF(thinkings); i++)
        if (ingle_signs_in(&thinkings[i].signs, template_text, n)) return &thinkings[i];
    return NULL;
}
