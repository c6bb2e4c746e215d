#include "ask.h"

gate_request ask_of(const http_exchange *x, gate_role needs)
{
    return (gate_request){.method = x->method,
                          .path = x->path,
                          .host = http_header(x, "Host"),
                          .origin = http_header(x, "Origin"),
                          .fetch_site = http_header(x, "Sec-Fetch-Site"),
                          .authorization = http_header(x, "Authorization"),
                          .x_api_key = http_header(x, "x-api-key"),
                          .transfer_encoding = http_header(x, "Transfer-Encoding"),
                          .content_length = http_header(x, "Content-Length"),
                          .content_encoding = http_header(x, "Content-Encoding"),
                          .n_host = http_header_count(x, "Host"),
                          .n_authorization = http_header_count(x, "Authorization"),
                          .n_x_api_key = http_header_count(x, "x-api-key"),
                          .n_transfer_encoding = http_header_count(x, "Transfer-Encoding"),
                          .n_content_length = http_header_count(x, "Content-Length"),
                          .local = x->peer->local,
                          .unix_socket = x->peer->unix_socket,
                          .loopback = x->peer->loopback,
                          .http10 = x->http10,
                          .needs = needs};
}
