// Both passes of training.h, compiled once for each level of vector instructions.
#include "training_backward.h"
#include "training_forward.h"

namespace larnn::LARNN_LEVEL {

std::unique_ptr<TrainingPass> make_pass(const Training& training, bool back) {
  if (back) return std::make_unique<Backward>(training);
  return std::make_unique<Forward>(training);
}

}  // namespace larnn::LARNN_LEVEL
