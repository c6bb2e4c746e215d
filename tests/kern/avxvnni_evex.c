/* avxvnni_evex.c - the AVX-VNNI kernels in the encoding of AVX-512, so that test_matmul can prove them
 * on processors that have only that one. Compiled with its flags (CMakeLists.txt). */
#if defined(__x86_64__)
#define ingle_kern_avxvnni_matmul test_avxvnni_evex
#include "kern/x86/matmul_avxvnni.c"
#else
typedef int nothing_here;
#endif
