// The numbers of a JSON array, from text to float32 without an object for each number.
#pragma once

#include <cstdint>

// Reads a text that is one JSON array of finite numbers, nested one, two or three deep: a row
// [x, …], a sequence of rows [[x, …], …], or several sequences [[[x, …], …], …]. All rows have one
// width, sequences have any length, and no array is empty. White space may stand around each token.
//
// The numbers go to `values`, of which there may be `most_values`. A row counts as a sequence of
// one row: the number of rows of each sequence goes to `rows`, of which there may be
// `most_sequences`. The depth goes to shape[0], the width of the rows to shape[1].
//
// Returns the number of sequences, or 0 if the text is anything else or does not fit. The contents
// of the buffers then have no meaning.
extern "C" __attribute__((visibility("default"))) int64_t
larnn_read_numbers(const char* text, int64_t size, float* values, int64_t most_values,
                   int64_t* rows, int64_t most_sequences, int64_t* shape);
