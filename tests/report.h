// Tables that a test run ends with.
#pragma once

#include <weft/tests/places.h>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

/// Prints `text` and keeps it as `name` in the folder of reports, which scripts/test.sh shows.
inline void write_report(const std::string& name, const std::string& text) {
  std::fputs(text.c_str(), stdout);
  std::filesystem::create_directories(report_folder());
  std::ofstream(report_folder() / (name + ".txt")) << text;
}
