/* The state behind hcall.h, one for all files of a guest. */
#include "hcall.h"

bool hcall_port, hcall_amd;
word hcalls;
