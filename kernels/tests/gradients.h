// Training's loop by itself: arrays are exactly as large as necessary, and derivatives are compared
// with differences.
#pragma once

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "network.h"
#include "training.h"

// The forward and backward pass of a layer with random weights, from half-full queues.
class TrainingRun {
 public:
  TrainingRun(const larnn::Level& level, Sizes sizes, bool activate, bool positions)
      : level_(level) {
    const size_t n = sizes.n, k = sizes.window_size;
    width_ = (n + level.lanes - 1) / level.lanes * level.lanes;
    t_.rows = kRows;
    t_.steps = kSteps;
    t_.n = sizes.n;
    t_.heads = sizes.heads;
    t_.window_size = sizes.window_size;
    t_.activate = activate;
    t_.filled = filled_.data();
    std::fill(filled_.begin(), filled_.end(), (k + 1) / 2);
    t_.recurrent = random(5 * n * n, 0.2f);
    t_.attention = random(4 * n * n, 0.2f);
    t_.output = random(n * n, 0.2f);
    t_.output_bias = random(n, 0.2f);
    t_.pair = random(2 * n * n, 0.2f);
    t_.pair_bias = random(2 * n, 0.2f);
    t_.positions = positions ? random(k * 2 * n, 0.2f) : nullptr;
    from_x = random(kRows * kSteps * 5 * n, 1.0f);
    t_.from_x = from_x;
    weights_of_loss_ = random(kRows * (kSteps + 1) * n, 1.0f);
    t_.hiddens = random(kRows * (kSteps + 1) * n, 0.5f);
    t_.cells = random(kRows * (kSteps + 1) * n, 0.5f);
    t_.keys = queue();
    t_.values = queue();
    t_.query = make(kRows * kSteps * n);
    t_.attended = make(kRows * kSteps * n);
    t_.projected = make(kRows * kSteps * n);
    t_.gates = make(kRows * kSteps * 4 * n);
    t_.weights = make(kRows * kSteps * k * level.lanes);
    t_.d_hiddens = make(kRows * (kSteps + 1) * n);
    t_.d_cells = make(kRows * (kSteps + 1) * n);
    t_.d_keys = make(kRows * (k + kSteps) * width_);
    t_.d_values = make(kRows * (k + kSteps) * width_);
    t_.d_from_x = make(kRows * kSteps * 5 * n);
    t_.d_projected = make(kRows * kSteps * n);
    t_.d_pair = make(kRows * kSteps * 2 * n);
    t_.d_positions = make(kTiles * k * 2 * n);
  }

  size_t inputs() const { return kRows * kSteps * 5 * static_cast<size_t>(t_.n); }

  // A weighted sum of all hidden states.
  double forward() {
    pass(false);
    double sum = 0;
    for (size_t i = 0; i < size(); ++i) sum += double(t_.hiddens[i]) * weights_of_loss_[i];
    return sum;
  }

  // The derivative of that sum by what the input adds.
  const float* backward() {
    std::copy(weights_of_loss_, weights_of_loss_ + size(), t_.d_hiddens);
    pass(true);
    return t_.d_from_x;
  }

  float* from_x;

 private:
  static constexpr int kRows = larnn::kTileRows + 3, kSteps = 9, kTiles = 2;

  size_t size() const { return kRows * (kSteps + 1) * static_cast<size_t>(t_.n); }

  void pass(bool back) {
    const auto all = level_.make_pass(t_, back);
    for (int row = 0; row < kRows; row += larnn::kTileRows)
      all->run(row, std::min(larnn::kTileRows, kRows - row));
  }

  float* make(size_t count) {
    numbers_.emplace_back(count);
    return numbers_.back().data();
  }
  float* random(size_t count, float scale) {
    numbers_.push_back(random_floats(count, static_cast<unsigned>(numbers_.size()), scale));
    return numbers_.back().data();
  }
  // The floats behind the n floats of a slot are zero.
  float* queue() {
    float* slots = random(kRows * (t_.window_size + kSteps) * width_, 0.5f);
    for (size_t i = 0; i < kRows * (t_.window_size + kSteps) * width_; ++i)
      if (i % width_ >= static_cast<size_t>(t_.n)) slots[i] = 0;
    return slots;
  }

  const larnn::Level& level_;
  larnn::Training t_{};
  size_t width_ = 0;
  std::vector<int64_t> filled_ = std::vector<int64_t>(kRows);
  std::vector<Floats> numbers_;
  const float* weights_of_loss_ = nullptr;
};

// Compares the derivative along a random direction with the difference over a small step each way.
inline void gradients(const larnn::Level& level, Sizes sizes) {
  if (level.lanes % sizes.heads != 0) return;
  for (const bool activate : {true, false})
    for (const bool positions : {true, false}) {
      TrainingRun run(level, sizes, activate, positions);
      const Floats direction = random_floats(run.inputs(), 7, 1.0f);
      constexpr float kStep = 1e-3f;
      const auto at = [&](float step) {
        for (size_t i = 0; i < run.inputs(); ++i) run.from_x[i] += step * direction[i];
        return run.forward();
      };
      const double less = at(-kStep), more = at(2 * kStep);
      const double found = (more - less) / (2 * kStep);
      at(-kStep);
      const float* gradient = run.backward();
      double expected = 0;
      for (size_t i = 0; i < run.inputs(); ++i) expected += double(gradient[i]) * direction[i];
      std::printf("n%d h%d k%d: %g, difference %g\n", sizes.n, sizes.heads, sizes.window_size,
                  expected, found);
      if (!(std::abs(found - expected) < 0.01 * std::max(1.0, std::abs(expected))))
        throw std::runtime_error("the derivative is not the difference's");
    }
}
