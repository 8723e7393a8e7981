// UTF-8 text: validation, decoding, words and lower case, by the rules that Python's `str` follows,
// because the reference BLEU is defined on Python strings.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weft {

/// Byte offset of the first ill-formed sequence (overlong forms and surrogates are ill-formed);
/// nothing if `text` is valid UTF-8.
std::optional<size_t> invalid_utf8(std::string_view text);

/// Code points of `text`; each ill-formed byte becomes U+FFFD.
std::u32string decode_utf8(std::string_view text);
std::string encode_utf8(std::u32string_view text);

/// White space in the sense of Python's str.isspace.
bool is_space(char32_t c);

/// The maximal runs of characters that are not white space; views into `text`.
std::vector<std::string_view> split_words(std::string_view text);

/// `text` with one space for each run of white space, and none at its ends.
std::string with_single_spaces(std::string_view text);

/// Full Unicode lower case as Python's str.lower: with the final sigma and the dotted capital I.
std::string lower_case(std::string_view text);

/// `text` for display: characters that would steer a terminal or break XML become U+FFFD, and all
/// beyond `max_characters` an ellipsis.
std::string printable(std::string_view text, size_t max_characters);

/// Terminal cells that `text` takes up: wide East Asian characters two, combining marks none.
size_t display_width(std::string_view text);

}  // namespace weft
