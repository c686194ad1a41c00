/* device e1000 [net=NAME] [mac=0x010203040506: its bytes, the first one lowest] [devfn=N] */
#include "bench.h"
#include "bench_net.h"
#include "dev/e1000.h"

static int make(struct bench *b, const struct dev_env *env, struct bench_args *a, struct dev *out,
                struct error *err)
{
    struct bench_net *n = bench_net(b, bench_arg_text(a, "net", NULL));
    uint64_t mac = bench_arg(a, "mac", 0x563412005452);
    struct e1000_setup s = {.net = n ? &n->net : NULL};

    (void)err;
    for (unsigned i = 0; i < sizeof(s.mac); i++)
        s.mac[i] = (uint8_t)(mac >> 8 * i);
    return e1000_create(out, env, &s);
}

const struct fixture fix_e1000 = {.name = "e1000", .make = make};
