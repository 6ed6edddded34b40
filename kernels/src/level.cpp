// One level of vector instructions: whether the processor supports it, and the loops compiled for
// it.
#include <memory>

#include "layer.h"
#include "simd.h"
#include "training.h"

#define LARNN_STRING(name) #name
#define LARNN_NAME(name) LARNN_STRING(name)

namespace larnn::LARNN_LEVEL {

std::unique_ptr<Layer> make_larnn(const Parameters& parameters);
std::unique_ptr<Layer> make_lstm(const LstmParameters& parameters);
std::unique_ptr<TrainingPass> make_pass(const Training& training, bool back);

namespace {

bool runs_here() {
#if defined(__AVX512F__)
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
#elif defined(__AVX2__)
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
  return true;
#endif
}

}  // namespace

extern const Level level;
const Level level = {LARNN_NAME(LARNN_LEVEL), kLanes, runs_here, make_larnn, make_lstm, make_pass};

}  // namespace larnn::LARNN_LEVEL
