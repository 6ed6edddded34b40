// Layers in double precision, equation by equation, with which the loops are compared.
#pragma once

#include <algorithm>
#include <cmath>
#include <deque>
#include <vector>

#include "layer.h"

inline double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

class Reference {
 public:
  explicit Reference(const larnn::Parameters& p) : p_(p), hidden_(p.n), cell_(p.n) {}

  // The hidden state after one more input x [n].
  const std::vector<double>& step(const float* x) {
    const Row input(x, x + p_.n), query = elu(plus(times(input, p_.query_x, p_.n, p_.query_bias),
                                                   times(hidden_, p_.query_hidden, p_.n)));
    const Row attended = normalised(elu(times(attention(query), p_.output, p_.n, p_.output_bias)),
                                    p_.attention, p_.norm == larnn::Norm::kLayer);
    Row both = hidden_;
    both.insert(both.end(), attended.begin(), attended.end());
    const Row gates = plus(times(input, p_.gates_x, 4 * p_.n, p_.gates_bias),
                           times(both, p_.gates_recurrent, 4 * p_.n));
    const auto gate = [&](int which, int i) { return gates[which * p_.n + i]; };  // i, f, o, g
    for (int i = 0; i < p_.n; ++i)
      cell_[i] = sigmoid(gate(1, i)) * cell_[i] + sigmoid(gate(0, i)) * std::tanh(gate(3, i));
    cell_ = normalised(cell_, p_.cell, p_.norm != larnn::Norm::kNone);
    const Row opened = elu(cell_);
    for (int i = 0; i < p_.n; ++i) hidden_[i] = sigmoid(gate(2, i)) * opened[i];
    hidden_ = normalised(hidden_, p_.hidden, p_.norm != larnn::Norm::kNone);
    remember(times(cell_, p_.pair, 2 * p_.n, p_.pair_bias));
    return hidden_;
  }

 private:
  using Row = std::vector<double>;

  static Row elu(Row row) {
    for (double& x : row) x = x > 0 ? x : std::expm1(x);
    return row;
  }

  static Row plus(Row a, const Row& b) {
    for (size_t i = 0; i < a.size(); ++i) a[i] += b[i];
    return a;
  }

  static Row times(const Row& in, const float* weights, int columns, const float* bias = nullptr) {
    Row out(columns);
    for (int column = 0; column < columns; ++column) {
      if (bias != nullptr) out[column] = bias[column];
      for (size_t i = 0; i < in.size(); ++i) out[column] += in[i] * weights[i * columns + column];
    }
    return out;
  }

  Row normalised(Row row, larnn::Scaling scaling, bool wanted) const {
    if (!wanted) return row;
    double mean = 0, square = 1;
    if (p_.norm == larnn::Norm::kLayer) {
      square = p_.epsilon;
      for (double x : row) mean += x / p_.n;
      for (double x : row) square += (x - mean) * (x - mean) / p_.n;
    }
    for (int i = 0; i < p_.n; ++i)
      row[i] = (row[i] - mean) / std::sqrt(square) * scaling.scale[i] + scaling.shift[i];
    return row;
  }

  // Feature f belongs to head f mod heads.
  Row attention(const Row& query) const {
    Row attended(p_.n);
    for (int head = 0; head < p_.heads && !keys_.empty(); ++head) {
      Row weights;
      for (const Row& key : keys_) {
        double score = 0;
        for (int f = head; f < p_.n; f += p_.heads) score += query[f] * key[f];
        weights.push_back(score / std::sqrt(double(p_.n) / p_.heads));
      }
      const double largest = *std::max_element(weights.begin(), weights.end());
      double sum = 0;
      for (double& weight : weights) sum += weight = std::exp(weight - largest);
      for (size_t slot = 0; slot < weights.size(); ++slot)
        for (int f = head; f < p_.n; f += p_.heads)
          attended[f] += weights[slot] / sum * values_[slot][f];
    }
    return attended;
  }

  void remember(const Row& pair) {
    Row key(pair.begin(), pair.begin() + p_.n), value(pair.begin() + p_.n, pair.end());
    const bool wanted = p_.norm != larnn::Norm::kNone;
    keys_.push_back(p_.activate ? normalised(elu(key), p_.key, wanted) : key);
    values_.push_back(p_.activate ? normalised(elu(value), p_.value, wanted) : value);
    if (keys_.size() <= size_t(p_.window_size)) return;
    keys_.pop_front();
    values_.pop_front();
  }

  larnn::Parameters p_;
  Row hidden_, cell_;
  std::deque<Row> keys_, values_;
};

class LstmReference {
 public:
  explicit LstmReference(const larnn::LstmParameters& p) : p_(p), hidden_(p.n), cell_(p.n) {}

  // The hidden state after one more input x [inputs].
  const std::vector<double>& step(const float* x) {
    std::vector<double> gates(4 * p_.n);  // i, o, f, g
    for (int g = 0; g < 4 * p_.n; ++g) {
      gates[g] = double(p_.bias[g]) + p_.bias[4 * p_.n + g];
      for (int i = 0; i < p_.inputs; ++i) gates[g] += double(x[i]) * p_.from_x[g * p_.inputs + i];
      for (int i = 0; i < p_.n; ++i) gates[g] += hidden_[i] * p_.from_hidden[g * p_.n + i];
    }
    for (int i = 0; i < p_.n; ++i) {
      const double *in = &gates[i], *out = in + p_.n, *forget = out + p_.n, *now = forget + p_.n;
      cell_[i] = sigmoid(*forget) * cell_[i] + sigmoid(*in) * std::tanh(*now);
      hidden_[i] = sigmoid(*out) * std::tanh(cell_[i]);
    }
    return hidden_;
  }

 private:
  larnn::LstmParameters p_;
  std::vector<double> hidden_, cell_;
};
