// The C functions for training, which Python calls by name (larnn_export/families/larnn/native.py).
#include <atomic>
#include <thread>
#include <vector>

#include "layer.h"
#include "training.h"

namespace {

constexpr char kNoError[] = "";

const char* message_of(const std::exception& error) {
  thread_local std::string message;
  message = error.what();
  return message.c_str();
}

}  // namespace

#define LARNN_DOOR extern "C" __attribute__((visibility("default")))

// The number of floats in a vector of the level that is used here; heads must divide it. 0 if no
// level can be chosen.
LARNN_DOOR int32_t larnn_training_lanes() {
  try {
    return larnn::choose_level().lanes;
  } catch (const std::exception&) {
    return 0;
  }
}

// Runs the forward or the backward pass of all rows, with tiles side by side on `threads` threads.
// Returns what went wrong, or a null pointer.
LARNN_DOOR const char* larnn_training_run(const larnn::Training* training, int32_t back,
                                          int32_t threads) {
  try {
    const auto pass = larnn::choose_level().make_pass(*training, back != 0);
    std::atomic<int> next{0};
    const auto work = [&] {
      for (int row; (row = next.fetch_add(larnn::kTileRows)) < training->rows;)
        pass->run(row, std::min(larnn::kTileRows, training->rows - row));
    };
    std::vector<std::thread> others;
    const int tiles = (training->rows + larnn::kTileRows - 1) / larnn::kTileRows;
    for (int i = 1; i < std::min(threads, tiles); ++i) others.emplace_back(work);
    work();
    for (std::thread& other : others) other.join();
    return kNoError;
  } catch (const std::exception& error) {
    return message_of(error);
  }
}
