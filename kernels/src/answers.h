// Answers of POST /classify as the service writes them: whole HTTP responses with JSON in them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace larnn {

// Text into memory that may be too small: then it is `over`, and nothing more is written.
class Writer {
 public:
  Writer(char* at, char* end) : at_(at), end_(end) {}

  char* at() const { return at_; }
  bool over() const { return over_; }

  void put(std::string_view text);
  // As Python's msgspec writes it: the fewest digits that give the number again.
  void put(double number);

 private:
  void put_digits(std::string_view digits, int point, bool negative);

  char* at_;
  char* end_;
  bool over_ = false;
};

// Probabilities of one row of logits, in double precision: the same steps as `softmax` in
// service/api/answers.py.
void softmax(const float* logits, size_t classes, double* probabilities);

}  // namespace larnn
