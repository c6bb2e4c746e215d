/* ask.h - what the gate looks at, of an exchange: the one place that knows both. Depends on gate.h,
 * http.h. */
#ifndef INGLE_SERVER_ASK_H
#define INGLE_SERVER_ASK_H

#include "gate.h"
#include "http.h"

/* What it points to is good as long as the exchange. */
gate_request ask_of(const http_exchange *x, gate_role needs);

#endif
