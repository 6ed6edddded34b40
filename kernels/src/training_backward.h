// The backward pass of training: the same loop in reverse.
//
// Gradients of keys and values collect in a buffer as long as the queue with all that entered it,
// so the gradient of a slot is complete when the step that filled it is reached.
#pragma once

#include <cmath>
#include <cstring>

#include "training_pass.h"

namespace larnn::LARNN_LEVEL {

class Backward final : public Pass {
 public:
  explicit Backward(const Training& training)
      : Pass(training),
        scale_(std::sqrt(static_cast<float>(training.heads) / n_)),
        recurrent_(backward_matrix(training.recurrent, 5 * n_, n_)),
        attention_(backward_matrix(training.attention, 4 * n_, n_)),
        output_(backward_matrix(training.output, n_, n_)),
        pair_(backward_matrix(training.pair, 2 * n_, n_)),
        zero_(size_) {}

  void run(int first, int count) const override {
    Scratch d_hidden(n_), d_cell(n_), d_pair(2 * n_), d_sums(5 * n_), d_attended(n_), d_raw(n_);
    Scratch query(n_), d_query(n_);
    Buffer slots(static_cast<size_t>(4 * size_ + kLanes) * k_);
    for (int i = 0; i < count; ++i) {
      copy(d_hidden[i], t_.d_hiddens + state(first + i, t_.steps), n_);
      copy(d_cell[i], t_.d_cells + state(first + i, t_.steps), n_);
    }
    for (int at = t_.steps - 1; at >= 0; --at) {
      for (int i = 0; i < count; ++i) leave(first + i, at, d_pair[i]);
      multiply(pair_, count, d_pair.rows(), d_cell.rows(), d_cell[0], d_cell.stride);
      for (int i = 0; i < count; ++i) move(first + i, at, d_hidden[i], d_cell[i], d_sums[i] + n_);
      multiply(attention_, count, d_sums.rows(n_), {zero_.data(), 0}, d_attended[0],
               d_attended.stride);
      for (int i = 0; i < count; ++i) {
        const float* projected = t_.projected + step(first + i, at) * n_;
        each(
            n_,
            [&](int f) { return load(d_attended[i] + f) * elu_slope(load_first(projected, f)); },
            d_attended[i]);
        copy(t_.d_projected + step(first + i, at) * n_, d_attended[i], n_);
      }
      multiply(output_, count, d_attended.rows(), {zero_.data(), 0}, d_raw[0], d_raw.stride);
      for (int i = 0; i < count; ++i) {
        const int row = first + i;
        const float* kept = t_.query + step(row, at) * n_;
        copy(query[i], kept, n_);
        attend(row, at, query[i], d_raw[i], slots.data(), d_query[i],
               t_.d_positions + static_cast<size_t>(first / kTileRows) * k_ * 2 * n_);
        each(
            n_, [&](int f) { return load(d_query[i] + f) * elu_slope(load_first(kept, f)); },
            d_sums[i]);
        copy(t_.d_from_x + step(row, at) * 5 * n_, d_sums[i], 5 * n_);
        copy(d_hidden[i], t_.d_hiddens + state(row, at), n_);
      }
      multiply(recurrent_, count, d_sums.rows(), d_hidden.rows(), d_hidden[0], d_hidden.stride);
    }
    for (int i = 0; i < count; ++i) {
      copy(t_.d_hiddens + state(first + i, 0), d_hidden[i], n_);
      copy(t_.d_cells + state(first + i, 0), d_cell[i], n_);
    }
  }

 private:
  // The gradient of a slot, which is complete at step `at` that filled it, becomes the gradient of
  // the projection.
  void leave(int row, int at, float* d_pair) const {
    const size_t place = slot(row, k_ + at);
    const float* d[2] = {t_.d_keys + place, t_.d_values + place};
    const float* entered[2] = {t_.keys + place, t_.values + place};
    for (int half = 0; half < 2; ++half)
      each(
          n_,
          [&](int f) {
            const Vec gradient = load(d[half] + f);
            return t_.positions != nullptr ? gradient : gradient * slope(load(entered[half] + f));
          },
          d_pair + half * n_);
    copy(t_.d_pair + step(row, at) * 2 * n_, d_pair, 2 * n_);
  }

  // From the gradients of hidden and cell state to those of the gates and of the cell state before.
  void move(int row, int at, const float* d_hidden, float* d_cell, float* d_gates) const {
    const float* gates = t_.gates + step(row, at) * 4 * n_;
    const float *cell = t_.cells + state(row, at), *next_cell = t_.cells + state(row, at + 1);
    const float* d_before = t_.d_cells + state(row, at);
    for (int at_f = 0; at_f < n_; at_f += kLanes) {
      const auto gate = [&](int which) { return load_first(gates + which * n_, at_f); };
      const auto put = [&](int which, Vec value) {
        store(d_gates + which * n_ + at_f, value, first(n_ - at_f < kLanes ? n_ - at_f : kLanes));
      };
      const Vec i = gate(0), f = gate(1), g = gate(2), o = gate(3);
      const Vec activated = elu(load_first(next_cell, at_f)), d_h = load(d_hidden + at_f);
      const Vec d_c = load(d_cell + at_f) + d_h * o * elu_slope(activated);
      put(0, d_c * g * sigmoid_slope(i));
      put(1, d_c * load_first(cell, at_f) * sigmoid_slope(f));
      put(2, d_c * i * tanh_slope(g));
      put(3, d_h * activated * sigmoid_slope(o));
      store(d_cell + at_f, load_first(d_before, at_f) + d_c * f);
    }
  }

  // The backward pass of attention. `scratch` has room for (4 · size + lanes) · k floats.
  void attend(int row, int at, const float* query, const float* d_attended, float* scratch,
              float* d_query, float* d_positions) const {
    const int count = seen(row, at);
    const size_t slots = static_cast<size_t>(k_) * size_, place = slot(row, at + k_ - count);
    const Window seen_slots = window(row, at, count, scratch);
    float *d_keys = t_.d_keys + place, *d_values = t_.d_values + place;
    if (t_.positions != nullptr) {
      d_keys = scratch + 2 * slots;
      d_values = scratch + 3 * slots;
      std::memset(d_keys, 0, 2 * slots * sizeof(float));
    }
    attend_.backward(size_ / kLanes, over_heads_, scale_, query, seen_slots, weights(row, at),
                     d_attended, scratch + 4 * slots, d_keys, d_values, d_query);
    if (t_.positions == nullptr) return;
    for (int i = 0; i < count; ++i) {
      float* d_position = d_positions + static_cast<size_t>(2) * (k_ - count + i) * n_;
      const size_t from = static_cast<size_t>(i) * size_;
      displace(d_keys + from, seen_slots.keys + from, t_.d_keys + place + from, d_position);
      displace(d_values + from, seen_slots.values + from, t_.d_values + place + from,
               d_position + n_);
    }
  }

  // From the gradient of a slot with its position to those of the queue and of the position.
  void displace(const float* d, const float* entry, float* d_queue, float* d_position) const {
    for (int f = 0; f < n_; f += kLanes) {
      const Mask mask = first(n_ - f < kLanes ? n_ - f : kLanes);
      const Vec gradient = load(d + f, mask) * slope(load(entry + f, mask));
      store(d_queue + f, load(d_queue + f, mask) + gradient, mask);
      store(d_position + f, load(d_position + f, mask) + gradient, mask);
    }
  }

  float scale_;
  Matrix recurrent_, attention_, output_, pair_;
  Buffer zero_;
};

}  // namespace larnn::LARNN_LEVEL
