// Which of the compiled levels runs.
#include <cstdlib>
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

const Level& choose_level() {
  const char* wanted = std::getenv("LARNN_KERNELS_LEVEL");
  std::string known;
  for (const Level* level : kLevels) {
    if (level->runs_here() && (wanted == nullptr || wanted == std::string(level->name)))
      return *level;
    if (level->runs_here()) known += std::string(" ") + level->name;
  }
  throw std::runtime_error(std::string("LARNN_KERNELS_LEVEL=") + (wanted ? wanted : "") +
                           ": this processor runs" + known);
}

}  // namespace larnn
