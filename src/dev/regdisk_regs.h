/*
 * The register disk as its driver sees it: included by the device and by guests, so nothing here
 * but numbers. docs/regdisk.md explains the controller; this file is the register reference.
 *
 * All registers are 32 bits wide, little-endian, at these offsets from the base, the same in port
 * space and in memory space. An aligned 64-bit store to X or Z (memory form) sets both halves in
 * one trap. Narrower accesses are refused: reads give all-ones, writes are dropped.
 */
#ifndef DEV_REGDISK_REGS_H
#define DEV_REGDISK_REGS_H

#define REGDISK_LEN 0x40

#define REGDISK_X           0x00 /* rw: sector number, low half (512-byte sectors) */
#define REGDISK_X_HI        0x04 /* rw: high half */
#define REGDISK_Z           0x08 /* rw: guest-physical address of the buffer, low half */
#define REGDISK_Z_HI        0x0c /* rw: high half */
#define REGDISK_COUNT       0x10 /* rw: sectors to move, 1..LIMIT; 1 after reset */
#define REGDISK_Y           0x14 /* rw: direction, REGDISK_READ or REGDISK_WRITE */
#define REGDISK_CMD         0x18 /* wo: starts a command; X Y Z COUNT are copied at this moment */
#define REGDISK_STATUS      0x1c /* ro: REGDISK_STATUS_* */
#define REGDISK_ERROR       0x20 /* ro: why the last command failed, REGDISK_ERROR_* */
#define REGDISK_INTR_ENABLE 0x24 /* rw: STATUS bits that raise the interrupt (DONE only) */
#define REGDISK_INTR_ACK    0x28 /* wo: write ones to clear DONE, FAILED, OVERRUN in STATUS */
#define REGDISK_LIMIT       0x2c /* ro: largest COUNT */
#define REGDISK_CAPACITY    0x30 /* ro: sectors on the disk, low half */
#define REGDISK_CAPACITY_HI 0x34 /* ro: high half */
#define REGDISK_ID          0x38 /* ro: REGDISK_ID_VALUE */
#define REGDISK_FEATURES    0x3c /* ro: REGDISK_FEATURE_* */

#define REGDISK_READ  0 /* Y: disk to memory */
#define REGDISK_WRITE 1 /* Y: memory to disk */

#define REGDISK_CMD_START 1 /* move COUNT sectors as X, Y, Z say */
#define REGDISK_CMD_FLUSH 2 /* make completed writes durable */
#define REGDISK_CMD_RESET 3 /* wait for the running command, then as after power-on */

#define REGDISK_STATUS_BUSY    1u /* a command runs; further commands are refused */
#define REGDISK_STATUS_DONE    2u /* a command ended (well or not); cleared by ACK or next CMD */
#define REGDISK_STATUS_FAILED  4u /* it failed, ERROR says why; cleared likewise */
#define REGDISK_STATUS_OVERRUN 8u /* a command was written while BUSY, and dropped; ACK clears */

#define REGDISK_ERROR_NONE     0
#define REGDISK_ERROR_RANGE    1 /* X + COUNT is past the end of the disk */
#define REGDISK_ERROR_COUNT    2 /* COUNT is 0 or above LIMIT */
#define REGDISK_ERROR_ADDRESS  3 /* Z .. Z + COUNT * 512 is not RAM */
#define REGDISK_ERROR_READONLY 4
#define REGDISK_ERROR_MEDIA    5 /* the backend failed */
#define REGDISK_ERROR_COMMAND  6 /* unknown CMD or Y */

#define REGDISK_FEATURE_READONLY 1u
#define REGDISK_FEATURE_PAGE     2u /* registers can be read with no trap */

#define REGDISK_COUNT_MAX 2048        /* value of LIMIT: 1 MiB a command */
#define REGDISK_ID_VALUE  0x4b534452u /* "RDSK" */

#endif
