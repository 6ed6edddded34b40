// Answers as the service writes them: whole HTTP responses and websocket frames with JSON in them.
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
// service/larnn_service/wire/predictions.py.
void softmax(const float* logits, size_t classes, double* probabilities);

}  // namespace larnn

// A response for each row of logits [rows, classes], one behind the other: head, the digits of its
// Content-Length, tail, and the body: before, answer, after. Labels are JSON strings. ends[2 * i]
// is where the body of response i begins, ends[2 * i + 1] where it ends. Returns how many bytes
// there are, 0 where there is not room for all.
extern "C" int64_t larnn_write_answers(int64_t rows, int64_t classes, const float* logits,
                                       const char* const* labels, const char* const* frame,
                                       const uint8_t* with_logits, char* text, int64_t most,
                                       int64_t* ends);

// The same of predictions of streams, each the text frame of a websocket; places[2 * i] is the
// position of prediction i, places[2 * i + 1] what is durable, ends[i] where it ends.
extern "C" int64_t larnn_write_predictions(int64_t rows, int64_t classes, const float* logits,
                                           const char* const* labels, const int64_t* places,
                                           const uint8_t* with_logits, char* text, int64_t most,
                                           int64_t* ends);
