// What the headers of nn declare, for tests that nothing of it is left out.
#pragma once

#include <weft/tests/places.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <string_view>

/// Names of the classes that are layers.
inline std::set<std::string> declared_layers() {
  constexpr std::string_view kClass = "class ", kLayer = " : public Layer<";
  std::set<std::string> declared;
  for (const auto& file : std::filesystem::recursive_directory_iterator(source_file("nn"))) {
    if (file.path().extension() != ".h") continue;
    std::ifstream in(file.path());
    for (std::string line; std::getline(in, line);)
      if (const size_t end = line.find(kLayer); end != line.npos && line.starts_with(kClass))
        declared.insert(line.substr(kClass.size(), end - kClass.size()));
  }
  return declared;
}
