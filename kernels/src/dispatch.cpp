// Chooses which of the compiled levels runs.
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>

#include "layer.h"

namespace larnn {

namespace baseline {
extern const Level level;
}
#if defined(__x86_64__)
namespace avx2 {
extern const Level level;
}
namespace avx512 {
extern const Level level;
}
static const Level* const kLevels[] = {&avx512::level, &avx2::level, &baseline::level};
#else
static const Level* const kLevels[] = {&baseline::level};
#endif

std::string levels_here() {
  std::string names;
  for (const Level* level : kLevels)
    if (level->runs_here()) names += (names.empty() ? "" : " ") + std::string(level->name);
  return names;
}

const Level& choose_level() {
  const char* wanted = std::getenv("LARNN_KERNELS_LEVEL");
  for (const Level* level : kLevels)
    if (level->runs_here() && (wanted == nullptr || std::strcmp(wanted, level->name) == 0))
      return *level;
  throw std::runtime_error("LARNN_KERNELS_LEVEL=" + std::string(wanted ? wanted : "") +
                           ": this processor runs " + levels_here());
}

}  // namespace larnn
