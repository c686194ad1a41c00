/* Is what a lab's file says of the right sort? Asked before anything is started. */
#ifndef CLI_LAB_JUDGE_H
#define CLI_LAB_JUDGE_H

#include "cli/lab.h"

/* 0, or -EINVAL with err filled: "FILE:LINE:COLUMN: found "…": …". */
int lab_judge(const struct lab *l, struct error *err);

#endif
