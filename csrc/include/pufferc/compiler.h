// compiler.h - compiler-specific attributes: function clones for wider instruction sets, inlining, visibility.
#ifndef PUFFERC_COMPILER_H
#define PUFFERC_COMPILER_H

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define PFC_SANITIZED_
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define PFC_SANITIZED_
#endif
#endif

// Compiles a function for the portable baseline and for wider instruction sets; the loader picks one when the program
// starts. No clone may change a result, so fused multiply-add must be off (-ffp-contract=off). GCC 12 before 12.5 still
// fuses products in AVX-512 code, so it gets no AVX-512 clone. Sanitizers cannot run the resolver. They, C++ and other
// systems use the baseline.
#if !defined(__x86_64__) || !defined(__gnu_linux__) || !defined(__GLIBC__) || !defined(__OPTIMIZE__) || \
    defined(__cplusplus) || defined(PFC_SANITIZED_) || defined(PFC_NO_MULTIVERSION) ||               \
    (defined(__clang__) && __clang_major__ < 14)
#define PFC_MULTIVERSION
#elif !defined(__clang__) && __GNUC__ == 12 && __GNUC_MINOR__ < 5
#define PFC_MULTIVERSION __attribute__((target_clones("default", "avx2")))
#else
#define PFC_MULTIVERSION __attribute__((target_clones("default", "avx2", "avx512f")))
#endif

#if defined(__GNUC__) && !defined(__clang__)
#define PFC_INDEPENDENT_LOOP_ _Pragma("GCC ivdep")
#else
#define PFC_INDEPENDENT_LOOP_
#endif

#define PFC_ALWAYS_INLINE __attribute__((always_inline)) inline

#if defined(__GNUC__)
#define PFC_EXPORT __attribute__((visibility("default")))
#else
#define PFC_EXPORT
#endif

#endif  // PUFFERC_COMPILER_H
