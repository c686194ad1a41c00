/* The name of a target's world: FUZZ_WORLD comes from the build. */
#include "worlds.h"

const char fuzz_world[] = FUZZ_WORLD;
