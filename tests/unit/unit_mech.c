/* What an engine can't do is refused before anything of a machine is made. */
#include "unit.h"
#include "board/board.h"
#include "core/error.h"
#include "engine/engine.h"
#include "vm/vm.h"

#include <errno.h>

static enum trap_rip regs(struct engine *e, unsigned vcpu, struct cpu_regs *r)
{
    (void)e, (void)vcpu, (void)r;
    return TRAP_RIP_AT;
}

static void resume(struct engine *e, unsigned vcpu, const struct cpu_regs *r)
{
    (void)e, (void)vcpu, (void)r;
}

static int refuse(const struct engine_ops *ops, unsigned via, unsigned trap, const char *why)
{
    struct vm_setup s = {.engine = ops, .board = &board_pc, .memory = 1 << 20, .disks = 1};
    struct error err = {{0}};
    struct vm *vm = NULL;
    int code;

    s.disk[0] = (struct vm_disk){.path = "mem:1M", .via = via, .trap = trap};
    code = vm_open(&vm, &s, &err);
    assert_null(vm);
    if (!strstr(err.text, why))
        fail_msg("%s: %s", why, err.text);
    return code;
}

static void engines_that_cannot(void **state)
{
    const struct engine_ops none = {.name = "lame"}, half = {.name = "lame", .trap_regs = regs};
    const struct engine_ops other = {.name = "lame", .trap_resume = resume};

    (void)state;
    assert_int_equal(refuse(&none, BOARD_REGDISK_MMIO, BOARD_TRAP_WRITES, "engine lame"), -ENOTSUP);
    refuse(&none, BOARD_REGDISK_MMIO, BOARD_TRAP_WRITES, "use trap=each");
    assert_int_equal(refuse(&none, BOARD_REGDISK_MMIO, BOARD_TRAP_PATCHED, "engine lame"),
                     -ENOTSUP);
    refuse(&half, BOARD_REGDISK_MMIO, BOARD_TRAP_PATCHED, "which instruction trapped");
    refuse(&other, BOARD_REGDISK_MMIO, BOARD_TRAP_PATCHED, "which instruction trapped");
}

static void disks_that_cannot(void **state)
{
    (void)state;
    assert_int_equal(refuse(&engine_dbt, BOARD_REGDISK_PIO, BOARD_TRAP_PATCHED, "regdisk-mmio"),
                     -EINVAL);
    assert_int_equal(refuse(&engine_dbt, BOARD_VIRTIO, BOARD_TRAP_WRITES, "regdisk-mmio"), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(engines_that_cannot),
        cmocka_unit_test(disks_that_cannot),
    };

    return cmocka_run_group_tests_name("mech", tests, NULL, NULL);
}
