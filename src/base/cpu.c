#include "base/cpu.h"

#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

/* docs/performance.md has the figures, bench/micro takes them. */
static const struct {
    const char *vendor;
    unsigned family, model;
    ingle_fetch fetch;
} measured[] = {
    {"GenuineIntel", 6, 0x8f, {1024, 4096}}, /* Sapphire Rapids */
    {"GenuineIntel", 6, 0xcf, {1024, 4096}}, /* Emerald Rapids: the same cores */
};

ingle_fetch ingle_cpu_fetch(const char *vendor, unsigned family, unsigned model)
{
    for (size_t i = 0; i < sizeof measured / sizeof measured[0]; i++)
        if (!strcmp(vendor, measured[i].vendor) && family == measured[i].family &&
            model == measured[i].model)
            return measured[i].fetch;
    return (ingle_fetch){.near = 2048, .far = 0};
}

#if defined(__x86_64__)

static ingle_fetch own_fetch(void)
{
    unsigned a, b, c, d, name[4] = {0};
    __cpuid(0, a, name[0], name[2], name[1]);
    __cpuid(1, a, b, c, d);
    unsigned family = a >> 8 & 15, model = a >> 4 & 15;
    if (family == 6 || family == 15) model += (a >> 16 & 15) << 4;
    if (family == 15) family += a >> 20 & 255;
    char vendor[sizeof name];
    memcpy(vendor, name, sizeof vendor);
    return ingle_cpu_fetch(vendor, family, model);
}

static bool bit(unsigned word, int i)
{
    return word >> i & 1;
}

/* Which register files the operating system saves: bits 1, 2 for AVX, 5 to 7 for AVX-512. */
static uint64_t enabled_state(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static void detect(ingle_cpu *cpu)
{
    unsigned a, b, c, d, max_leaf = __get_cpuid_max(0, NULL);
    if (max_leaf < 7) return;
    cpu->fetch = own_fetch();
    __cpuid(1, a, b, c, d);
    if (!bit(c, 27)) return; /* OSXSAVE */
    uint64_t state = enabled_state();
    bool f16c_fma_popcnt = bit(c, 29) && bit(c, 12) && bit(c, 23);
    if (!bit(c, 28) || (state & 0x06) != 0x06) return;

    unsigned b7, c7, a71 = 0;
    __cpuid_count(7, 0, a, b7, c7, d);
    if (a >= 1) __cpuid_count(7, 1, a71, b, c, d);
    if (!f16c_fma_popcnt || !bit(b7, 5) || !bit(b7, 8)) return; /* AVX2, BMI2 */
    cpu->has[INGLE_ISA_AVX2] = true;
    cpu->has[INGLE_ISA_AVXVNNI] = bit(a71, 4);
    if ((state & 0xe6) != 0xe6) return;
    /* F, DQ, BW, VL, VNNI */
    cpu->has[INGLE_ISA_AVX512] =
        bit(b7, 16) && bit(b7, 17) && bit(b7, 30) && bit(b7, 31) && bit(c7, 11);
    if (!cpu->has[INGLE_ISA_AVX512]) return;
    if (bit(c7, 1) && bit(c7, 12)) cpu->features |= INGLE_CPU_VBMI_BITALG;
    cpu->has[INGLE_ISA_AVX512BF16] = bit(a71, 5);
}

#elif defined(__aarch64__)

static void detect(ingle_cpu *cpu)
{
    unsigned long hwcap = getauxval(AT_HWCAP), hwcap2 = getauxval(AT_HWCAP2);
    cpu->has[INGLE_ISA_NEON] = hwcap >> 1 & 1;                                   /* HWCAP_ASIMD */
    cpu->has[INGLE_ISA_DOTPROD] = cpu->has[INGLE_ISA_NEON] && (hwcap >> 20 & 1); /* HWCAP_ASIMDDP */
    cpu->has[INGLE_ISA_I8MM] = cpu->has[INGLE_ISA_DOTPROD] && (hwcap2 >> 13 & 1); /* HWCAP2_I8MM */
}

#else

static void detect(ingle_cpu *cpu)
{
    (void)cpu;
}

#endif

ingle_cpu ingle_cpu_detect(void)
{
    ingle_cpu cpu = {0};
    cpu.has[INGLE_ISA_AUTO] = cpu.has[INGLE_ISA_REF] = true;
    detect(&cpu);
    for (int i = INGLE_ISA_REF; i <= INGLE_ISA_I8MM; i++)
        if (cpu.has[i] && i != INGLE_ISA_AVX512BF16) cpu.isa = (ingle_isa)i;
    return cpu;
}

static const char *const isa_names[] = {
    [INGLE_ISA_AUTO] = "auto",     [INGLE_ISA_REF] = "ref",
    [INGLE_ISA_AVX2] = "avx2",     [INGLE_ISA_AVXVNNI] = "avxvnni",
    [INGLE_ISA_AVX512] = "avx512", [INGLE_ISA_AVX512BF16] = "avx512bf16",
    [INGLE_ISA_NEON] = "neon",     [INGLE_ISA_DOTPROD] = "dotprod",
    [INGLE_ISA_I8MM] = "i8mm",
};

const char *ingle_isa_name(ingle_isa isa)
{
    size_t i = (size_t)isa;
    return i < sizeof isa_names / sizeof isa_names[0] ? isa_names[i] : "unknown";
}

ingle_isa ingle_isa_from_name(const char *name)
{
    for (int i = INGLE_ISA_REF; name && i <= INGLE_ISA_I8MM; i++)
        if (!strcmp(name, isa_names[i])) return (ingle_isa)i;
    return INGLE_ISA_AUTO;
}

bool ingle_isa_runs_here(ingle_isa isa)
{
    ingle_cpu cpu = ingle_cpu_detect();
    size_t i = (size_t)isa;
    return i < sizeof cpu.has / sizeof cpu.has[0] && cpu.has[i];
}
