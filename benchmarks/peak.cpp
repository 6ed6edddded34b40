// Multiply-adds per second of one thread at best: sums that stay in registers, nothing loaded.
#include <cstdio>
#include <ctime>

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif
typedef float Vec __attribute__((vector_size(4 * kLanes)));

int main() {
  constexpr int kSums = 12, kRounds = 2000000;
  volatile float given = 0.999f;
  double best = 0;
  float keep = 0;
  for (int attempt = 0; attempt < 30; ++attempt) {
    Vec sum[kSums];
    for (int i = 0; i < kSums; ++i) sum[i] = Vec{} + given * float(i);
    const Vec factor = Vec{} + given, addend = Vec{} + given;
    timespec start, end;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start);
    for (int round = 0; round < kRounds; ++round)
#pragma GCC unroll 12
      for (int i = 0; i < kSums; ++i) sum[i] = sum[i] * factor + addend;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
    for (int i = 0; i < kSums; ++i) keep += sum[i][0];
    const double took = (end.tv_sec - start.tv_sec) + 1e-9 * (end.tv_nsec - start.tv_nsec);
    const double rate = double(kSums) * kLanes * kRounds / took;
    best = rate > best ? rate : best;
  }
  given = keep;
  std::printf("%.4g\n", best);
}
