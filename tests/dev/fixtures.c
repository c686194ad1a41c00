/* The table of devices that scripts and fuzzers can put on the bench; made from meson.build. */
#include "bench.h"

#define FIXTURE(name) extern const struct fixture fix_##name;
#include "fixtures.inc"
#undef FIXTURE

const struct fixture *const fixtures[] = {
#define FIXTURE(name) &fix_##name,
#include "fixtures.inc"
#undef FIXTURE
    NULL,
};
