/* device ide [disk0=NAME] [disk1=NAME] [disk2=NAME] [disk3=NAME] [serial=TEXT] [bm=0xc000]: lines
 * ide0 and ide1 */
#include "bench.h"
#include "dev/ide.h"

static int make(struct bench *b, const struct dev_env *env, struct bench_args *a, struct dev *out,
                struct error *err)
{
    static const char *const key[] = {"disk0", "disk1", "disk2", "disk3"};
    struct ide_setup s = {
        .channel = {{.cmd = 0x1f0, .ctl = 0x3f6, .irq = bench_line(b, "ide0")},
                    {.cmd = 0x170, .ctl = 0x376, .irq = bench_line(b, "ide1")}},
        .bm = (uint16_t)bench_arg(a, "bm", 0xc000),
    };
    unsigned i;

    (void)err;
    for (i = 0; i < 4; i++)
        s.disk[i].blk = bench_disk(b, bench_arg_text(a, key[i], NULL));
    s.disk[0].serial = bench_arg_text(a, "serial", NULL);
    return ide_create(out, env, &s);
}

const struct fixture fix_ide = {.name = "ide", .make = make};
