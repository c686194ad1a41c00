/* Bits of CPUID that are claimed only if the host has them, or that several files look at. */
#ifndef ENGINE_DBT_SYS_FEAT_H
#define ENGINE_DBT_SYS_FEAT_H

enum { /* leaf 1 ECX */
       C1_SSE3 = 1,
       C1_PCLMUL = 1 << 1,
       C1_SSSE3 = 1 << 9,
       C1_CX16 = 1 << 13,
       C1_SSE41 = 1 << 19,
       C1_SSE42 = 1 << 20,
       C1_MOVBE = 1 << 22,
       C1_POPCNT = 1 << 23,
       C1_DEADLINE = 1 << 24,
       C1_AES = 1 << 25,
       C1_RDRAND = 1 << 30
};
enum { /* leaf 7 EBX, EDX; 0x80000001 ECX, EDX */
       C7_BMI1 = 1 << 3,
       C7_BMI2 = 1 << 8,
       C7_ERMS = 1 << 9,
       C7_RDSEED = 1 << 18,
       C7_ADX = 1 << 19,
       C7_SHA = 1 << 29,
       C7_FSRM = 1 << 4,
       CX_LAHF = 1,
       CX_LZCNT = 1 << 5,
       CX_PREFETCHW = 1 << 8,
       CX_SYSCALL = 1 << 11,
       CX_NX = 1 << 20,
       CX_RDTSCP = 1 << 27,
       CX_LM = 1 << 29
};
#define C1_HYPERVISOR 0x80000000u

#endif
