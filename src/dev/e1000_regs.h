/*
 * Names of Intel's "PCI/PCI-X Family of Gigabit Ethernet Controllers Software Developer's Manual"
 * (317453), chapter 13: register offsets in bytes, and bits.
 */
#ifndef DEV_E1000_REGS_H
#define DEV_E1000_REGS_H

/* general */
#define CTRL     0x0000u
#define CTRL_DUP 0x0004u
#define STATUS   0x0008u
#define EECD     0x0010u
#define EERD     0x0014u
#define CTRL_EXT 0x0018u
#define FLA      0x001cu
#define MDIC     0x0020u
#define FCAL     0x0028u
#define FCAH     0x002cu
#define FCT      0x0030u
#define VET      0x0038u
#define FCTTV    0x0170u
#define TXCW     0x0178u
#define RXCW     0x0180u
#define LEDCTL   0x0e00u
#define PBA      0x1000u

/* interrupts */
#define ICR 0x00c0u
#define ITR 0x00c4u
#define ICS 0x00c8u
#define IMS 0x00d0u
#define IMC 0x00d8u

/* receive */
#define RCTL   0x0100u
#define RDFH   0x2410u
#define FCRTL  0x2160u
#define FCRTH  0x2168u
#define RDBAL  0x2800u
#define RDBAH  0x2804u
#define RDLEN  0x2808u
#define RDH    0x2810u
#define RDT    0x2818u
#define RDTR   0x2820u
#define RXDCTL 0x2828u
#define RADV   0x282cu
#define RSRPD  0x2c00u
#define RXCSUM 0x5000u
#define MTA    0x5200u
#define RAL    0x5400u
#define RAH    0x5404u
#define VFTA   0x5600u

/* transmit */
#define TCTL   0x0400u
#define TIPG   0x0410u
#define AIT    0x0458u
#define TDFH   0x3410u
#define TDBAL  0x3800u
#define TDBAH  0x3804u
#define TDLEN  0x3808u
#define TDH    0x3810u
#define TDT    0x3818u
#define TIDV   0x3820u
#define TXDCTL 0x3828u
#define TADV   0x382cu
#define TSPMT  0x3830u

/* wake-up and management */
#define WUC   0x5800u
#define WUFC  0x5808u
#define WUS   0x5810u
#define MANC  0x5820u
#define IPAV  0x5838u
#define IP4AT 0x5840u
#define IP6AT 0x5880u
#define WUPL  0x5900u
#define WUPM  0x5a00u
#define FFLT  0x5f00u
#define FFMT  0x9000u
#define FFVT  0x9800u

/* statistics */
#define STATS   0x4000u
#define MPC     0x4010u
#define XONRXC  0x4048u
#define XOFFRXC 0x4050u
#define FCRUC   0x4058u
#define PRC64   0x405cu
#define GPRC    0x4074u
#define BPRC    0x4078u
#define MPRC    0x407cu
#define GPTC    0x4080u
#define GORCL   0x4088u
#define GORCH   0x408cu
#define GOTCL   0x4090u
#define GOTCH   0x4094u
#define RNBC    0x40a0u
#define RUC     0x40a4u
#define ROC     0x40acu
#define TORL    0x40c0u
#define TORH    0x40c4u
#define TOTL    0x40c8u
#define TOTH    0x40ccu
#define TPR     0x40d0u
#define TPT     0x40d4u
#define PTC64   0x40d8u
#define MPTC    0x40f0u
#define BPTC    0x40f4u
#define TSCTC   0x40f8u
#define TSCTFC  0x40fcu

/* CTRL */
#define CTRL_FD      0x00000001u
#define CTRL_ASDE    0x00000020u
#define CTRL_SLU     0x00000040u
#define CTRL_SPEED   0x00000300u /* 10, 100, 1000, 1000 */
#define CTRL_FRCSPD  0x00000800u
#define CTRL_FRCDPX  0x00001000u
#define CTRL_RST     0x04000000u
#define CTRL_RFCE    0x08000000u
#define CTRL_VME     0x40000000u
#define CTRL_PHY_RST 0x80000000u

#define CTRL_EXT_EE_RST 0x00002000u

#define STATUS_FD 0x00000001u
#define STATUS_LU 0x00000002u
#define SPEED_AT  6 /* of STATUS; CTRL's is at 8 */
#define ASDV_AT   8

/* EECD */
#define EECD_SK   0x001u
#define EECD_CS   0x002u
#define EECD_DI   0x004u
#define EECD_DO   0x008u
#define EECD_FWE  0x030u
#define EECD_REQ  0x040u
#define EECD_GNT  0x080u
#define EECD_PRES 0x100u

#define EERD_START 0x01u
#define EERD_DONE  0x10u

/* MDIC */
#define MDIC_WRITE 1u
#define MDIC_READ  2u
#define MDIC_READY 0x10000000u
#define MDIC_INT   0x20000000u
#define MDIC_ERROR 0x40000000u

/* ICR, ICS, IMS, IMC */
#define INT_TXDW    0x00001u
#define INT_TXQE    0x00002u
#define INT_LSC     0x00004u
#define INT_RXDMT0  0x00010u
#define INT_RXO     0x00040u
#define INT_RXT0    0x00080u
#define INT_MDAC    0x00200u
#define INT_PHY     0x01000u
#define INT_TXD_LOW 0x08000u
#define INT_SRPD    0x10000u
#define INT_ALL     0x1ffffu

/* RCTL */
#define RCTL_EN    0x00000002u
#define RCTL_UPE   0x00000008u
#define RCTL_MPE   0x00000010u
#define RCTL_LPE   0x00000020u
#define RCTL_LBM   0x000000c0u
#define RCTL_BAM   0x00008000u
#define RCTL_VFE   0x00040000u
#define RCTL_CFIEN 0x00080000u
#define RCTL_CFI   0x00100000u
#define RCTL_DPF   0x00400000u
#define RCTL_PMCF  0x00800000u
#define RCTL_BSEX  0x02000000u
#define RCTL_SECRC 0x04000000u
#define RCTL_RDMTS 8 /* where the field starts */
#define RCTL_MO    12
#define RCTL_BSIZE 16

#define RXCSUM_IPOFL 0x100u
#define RXCSUM_TUOFL 0x200u

#define RAH_AV 0x80000000u
#define RAH_AS 0x00030000u

#define TCTL_EN  0x2u
#define TCTL_PSP 0x8u

#define RDTR_FPD 0x80000000u

/* receive descriptor: offsets, status, errors */
#define RXD_LEN     16u
#define RXD_DD      0x01u
#define RXD_EOP     0x02u
#define RXD_IXSM    0x04u
#define RXD_VP      0x08u
#define RXD_TCPCS   0x20u
#define RXD_IPCS    0x40u
#define RXD_PIF     0x80u
#define RXD_ERR_TCP 0x20u
#define RXD_ERR_IP  0x40u
#define RXD_ERR_RX  0x80u

/* transmit descriptors: the command byte, types, options */
#define TXD_LEN     16u
#define TXD_EOP     0x01u
#define TXD_IFCS    0x02u
#define TXD_IC      0x04u /* legacy */
#define TXD_TSE     0x04u /* data, context */
#define TXD_RS      0x08u
#define TXD_RPS     0x10u
#define TXD_DEXT    0x20u
#define TXD_VLE     0x40u
#define TXD_IDE     0x80u
#define TXD_DD      0x01u
#define TUCMD_TCP   0x01u
#define TUCMD_IP4   0x02u
#define POPTS_IXSM  0x01u
#define POPTS_TXSM  0x02u
#define TXD_CONTEXT 0u
#define TXD_DATA    1u

#define ETH_HDR 14u
#define ETH_FCS 4u
#define ETH_MIN 60u /* without FCS */

#endif
