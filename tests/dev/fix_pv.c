/* device pv [port=N] [disk=NAME] [disk1=NAME] [net=NAME] [net1=NAME] [console=CABLE]: devids in
 * this order */
#include "bench.h"
#include "bench_net.h"
#include "pv/pv.h"

#include <errno.h>

static const uint8_t mac[2][6] = {{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}};

static int parts(struct bench *b, struct bench_args *a, struct pv *p, struct error *err)
{
    static const char *const disk[] = {"disk", "disk1"}, *const net[] = {"net", "net1"};
    const char *cable = bench_arg_text(a, "console", NULL);
    int e = 0;

    for (unsigned i = 0; i < ARRAY_LEN(disk) && !e; i++) {
        const char *name = bench_arg_text(a, disk[i], NULL);

        if (name && !bench_disk(b, name))
            return error_set(err, -EINVAL, "pv: no disk %s", name);
        if (name)
            e = pv_disk_add(p, i ? "pvdisk1" : "pvdisk", bench_disk(b, name));
    }
    for (unsigned i = 0; i < ARRAY_LEN(net) && !e; i++) {
        const char *name = bench_arg_text(a, net[i], NULL);

        if (name && !bench_net(b, name))
            return error_set(err, -EINVAL, "pv: no net %s", name);
        if (name)
            e = pv_net_add(p, i ? "pvnic1" : "pvnic", &bench_net(b, name)->net, mac[i]);
    }
    if (!e && cable)
        e = pv_console_add(p, "pvcon", bench_cable(b, cable));
    return e;
}

static int make(struct bench *b, const struct dev_env *env, struct bench_args *a, struct dev *out,
                struct error *err)
{
    struct pv *p = NULL;
    int e = pv_create(&p, env, bench_arg(a, "port", 0xe00));

    if (e)
        return e;
    e = parts(b, a, p, err);
    if (e) {
        pv_class.destroy(p);
        return e;
    }
    b->dispatch.hcall = pv_hcall;
    b->dispatch.hcall_ctx = p;
    out->dev = p;
    return 0;
}

const struct fixture fix_pv = {.name = "pv", .cls = &pv_class, .make = make};
