#include "cuda/libraries.h"

#include <dlfcn.h>
#include <glob.h>
#include <link.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstring>
#include <fstream>
#include <vector>

#include "cuda/json.h"
#include "cuda/variable.h"
#include "error.h"

namespace needletail::cuda {

namespace {

using Strings = std::vector<std::string>;

// The version of an opened library, and what is wrong with it: "" where it will do.
struct Version {
  std::string text, wrong;
};

struct Kind {
  const char* name;
  const char* file;
  const char* variable;  // names its file or folder
  const char* wheel;  // its folder in NVIDIA's wheels
  const char* expected;
  const char* package;  // of NVIDIA's wheels
  Version (*version)(void* handle);
};

template <class F>
F symbol(void* handle, const char* name) {
  return reinterpret_cast<F>(dlsym(handle, name));
}

std::string dotted(size_t version) {  // 92400 -> 9.24.0
  return std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." +
         std::to_string(version % 100);
}

Version nvrtcVersion(void* handle) {
  int major = 0, minor = 0;
  auto version = symbol<int (*)(int*, int*)>(handle, "nvrtcVersion");
  if (!version || version(&major, &minor) != 0) return {"", "not NVRTC"};
  return {std::to_string(major) + "." + std::to_string(minor), major == 13 ? "" : "not of CUDA 13"};
}

Version cublasLtVersion(void* handle) {
  auto version = symbol<size_t (*)()>(handle, "cublasLtGetVersion");
  if (!version) return {"", "not cuBLASLt"};
  return {dotted(version()), version() / 10000 == 13 ? "" : "not of CUDA 13"};
}

// Its file has the same name for CUDA 12.
Version cudnnVersion(void* handle) {
  auto version = symbol<size_t (*)()>(handle, "cudnnGetVersion");
  auto runtime = symbol<size_t (*)()>(handle, "cudnnGetCudartVersion");
  if (!version || !runtime) return {"", "not cuDNN"};
  if (version() < 90800) return {dotted(version()), "too old"};
  return {dotted(version()), runtime() / 1000 == 13 ? "" : "built for CUDA " + std::to_string(runtime() / 1000)};
}

constexpr std::array<Kind, 3> kKinds = {{
    {"NVRTC", "libnvrtc.so.13", "NEEDLETAIL_NVRTC", "cu13", "NVRTC of CUDA 13", "nvidia-cuda-nvrtc==13.0.88",
     nvrtcVersion},
    {"cuBLASLt", "libcublasLt.so.13", "NEEDLETAIL_CUBLASLT", "cu13", "cuBLASLt of CUDA 13", "nvidia-cublas==13.1.1.3",
     cublasLtVersion},
    {"cuDNN", "libcudnn.so.9", "NEEDLETAIL_CUDNN", "cudnn", "cuDNN 9.8 or newer for CUDA 13",
     "nvidia-cudnn-cu13==9.24.0.43", cudnnVersion},
}};

// A variable's path; "" where it isn't set. A relative one would depend on the working directory.
std::string pathOf(const char* name) {
  const std::string value = variable(name);
  return value.starts_with('/') ? value : "";
}

std::string parent(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

std::string ownFolder() {
  Dl_info info;
  char real[PATH_MAX];
  if (!dladdr(reinterpret_cast<const void*>(&ownFolder), &info) || !realpath(info.dli_fname, real)) return "";
  return parent(real);
}

// The prefix of the Python on PATH: where it is called, and where it lies if that is a link.
Strings pythonPrefixes() {
  std::string rest = variable("PATH");
  while (!rest.empty()) {
    const size_t end = std::min(rest.find(':'), rest.size());
    const std::string python = rest.substr(0, end) + "/python3";
    rest.erase(0, end + 1);
    char real[PATH_MAX];
    if (python[0] != '/' || access(python.c_str(), X_OK) != 0 || !realpath(python.c_str(), real)) continue;
    Strings prefixes{parent(parent(python)), parent(parent(real))};
    if (prefixes[0] == prefixes[1]) prefixes.pop_back();
    if (prefixes.back() == "/usr") prefixes.push_back("/usr/local");  // where a distribution's Python installs to
    return prefixes;
  }
  return {};
}

// The folders that may have the library, in order; `*` stands for any name. Each with the reason to look there.
struct Place {
  std::string why, folder;
};
std::vector<Place> places(const Kind& kind) {
  const std::string wheel = std::string("/nvidia/") + kind.wheel + "/lib";
  const std::string packages = "/lib*/python3*/*-packages" + wheel;
  std::vector<Place> all;
  auto add = [&](const char* why, const std::string& base, std::initializer_list<std::string> below) {
    if (base.empty()) return all.push_back({why, ""});
    for (const std::string& folder : below) all.push_back({why, base + folder});
  };
  add("beside the package", ownFolder(), {"", wheel, "/../cuda" + wheel});
  add("VIRTUAL_ENV", pathOf("VIRTUAL_ENV"), {packages});
  for (const std::string& prefix : pythonPrefixes()) add("python3 on PATH", prefix, {packages});
  add("the user's Python packages", pathOf("HOME"), {"/.local" + packages});
  add("CONDA_PREFIX", pathOf("CONDA_PREFIX"), {"/lib", packages});
  all.push_back({"the loader's path", "loader"});
  add("CUDA_PATH", pathOf("CUDA_PATH"), {"/lib64", "/lib"});
  add("/usr/local", "/usr/local", {"/cuda*/lib64", "/cuda*/lib"});
  return all;
}

// What a pattern matches, the newest version first.
Strings matches(const std::string& pattern) {
  glob_t found;
  Strings paths;
  if (glob(pattern.c_str(), GLOB_NOSORT, nullptr, &found) == 0)
    paths.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  globfree(&found);
  std::sort(paths.begin(), paths.end(),
            [](const std::string& a, const std::string& b) { return strverscmp(a.c_str(), b.c_str()) > 0; });
  return paths;
}

struct Found {
  void* handle = nullptr;
  std::string version, path;
  Strings looked;
};

std::string pathOf(void* handle) {
  link_map* map = nullptr;
  return dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0 && map->l_name ? map->l_name : "";
}

// Opens the file (a path, or a name for the loader to look for) if it will do. It is opened for others to see only once
// its version is known.
bool tryOpen(const Kind& kind, const std::string& why, const std::string& file, int flags, Found& found) {
  void* handle = dlopen(file.c_str(), RTLD_LAZY | RTLD_LOCAL | flags);
  if (!handle) {
    const char* error = flags & RTLD_NOLOAD ? "no" : dlerror();
    found.looked.push_back(why + ": " + (error ? error : file));
    return false;
  }
  const Version version = kind.version(handle);
  const std::string path = pathOf(handle);
  if (version.wrong.empty() && dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL)) {
    found.handle = handle, found.version = version.text, found.path = path;
    return true;
  }
  const std::string what =
      version.wrong.empty() ? dlerror() : version.text + (version.text.empty() ? "" : ", ") + version.wrong;
  found.looked.push_back(why + ": " + path + ": " + what);
  dlclose(handle);
  return false;
}

// A folder, which may be a pattern.
bool tryFolder(const Kind& kind, const std::string& why, const std::string& folder, Found& found) {
  const Strings files = matches(folder + "/" + kind.file);
  for (const std::string& file : files) {
    if (tryOpen(kind, why, file, 0, found)) return true;
  }
  if (files.empty()) found.looked.push_back(why + ": " + folder + "/" + kind.file + ": not there");
  return false;
}

Found find(const Kind& kind) {
  Found found;
  if (const std::string path = variable(kind.variable); !path.empty()) {
    // Who names a library wants no other.
    if (path[0] != '/')
      found.looked.push_back(std::string(kind.variable) + ": " + path + ": not an absolute path");
    else if (matches(path + "/.").empty())
      tryOpen(kind, kind.variable, path, 0, found);
    else
      tryFolder(kind, kind.variable, path, found);
    return found;
  }
  found.looked.push_back(std::string(kind.variable) + ": not set");
  if (tryOpen(kind, "loaded already", kind.file, RTLD_NOLOAD, found)) return found;
  for (const Place& place : places(kind)) {
    if (place.folder.empty())
      found.looked.push_back(place.why + ": not set");
    else if (place.folder == "loader" ? tryOpen(kind, place.why, kind.file, 0, found)
                                      : tryFolder(kind, place.why, place.folder, found))
      break;
  }
  return found;
}

const std::array<Found, 3>& libraries() {
  static const std::array<Found, 3> all = {find(kKinds[0]), find(kKinds[1]), find(kKinds[2])};
  return all;
}

std::string mend(const Kind& kind) {
  return std::string("pip install ") + kind.package + ", or set " + kind.variable + " to the library's file or folder.";
}

// --- the driver

constexpr const char* kDriver = "libcuda.so.1";
constexpr int kCuda = 13000;  // cuDriverGetVersion's number of CUDA 13.0
constexpr const char* kMendDriver = "Install NVIDIA's driver 580 or newer.";
constexpr const char* kMendGpu = "CUDA 13 needs a GPU of the generation Turing (compute capability 7.5) or newer.";

struct Gpu {
  std::string name;
  int capability;  // 75: 7.5
  bool usable() const { return capability >= 75; }
  std::string text() const {
    return name + " (" + std::to_string(capability / 10) + "." + std::to_string(capability % 10) + ")";
  }
};

struct Driver {
  bool opened = false;
  std::string path, version, error;  // error: why it has no GPUs
  int cuda = 0;
  std::vector<Gpu> gpus;
  std::string text() const {
    const std::string knows = "CUDA " + std::to_string(cuda / 1000) + "." + std::to_string(cuda % 1000 / 10);
    return version.empty() ? knows : version + ", " + knows;
  }
};

// "580.159.03": where the kernel module says so.
std::string moduleVersion() {
  std::ifstream file("/proc/driver/nvidia/version");
  std::string word, found;
  while (found.empty() && file >> word) {
    if (word.find('.') != std::string::npos && word.find_first_not_of("0123456789.") == std::string::npos) found = word;
  }
  return found;
}

Driver findDriver() {
  Driver driver;
  void* handle = dlopen(kDriver, RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    const char* error = dlerror();
    driver.error = error ? error : "";
    return driver;
  }
  driver.opened = true;
  driver.path = pathOf(handle);
  driver.version = moduleVersion();
  auto version = symbol<int (*)(int*)>(handle, "cuDriverGetVersion");
  auto init = symbol<int (*)(unsigned)>(handle, "cuInit");
  auto describe = symbol<int (*)(int, const char**)>(handle, "cuGetErrorString");
  auto count = symbol<int (*)(int*)>(handle, "cuDeviceGetCount");
  auto name = symbol<int (*)(char*, int, int)>(handle, "cuDeviceGetName");
  auto attribute = symbol<int (*)(int*, int, int)>(handle, "cuDeviceGetAttribute");
  if (version) version(&driver.cuda);
  int status = init ? init(0) : 999, devices = 0;
  if (status == 0) status = count(&devices);
  const char* error = nullptr;
  if (status != 0 && describe) describe(status, &error);
  if (status != 0) driver.error = error ? error : "error " + std::to_string(status);
  constexpr int kMajor = 75, kMinor = 76;  // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, _MINOR
  for (int i = 0; i < devices; i++) {
    char text[256] = "";
    int major = 0, minor = 0;
    name(text, sizeof text, i), attribute(&major, kMajor, i), attribute(&minor, kMinor, i);
    driver.gpus.push_back({text, 10 * major + minor});
  }
  return driver;
}

const Driver& driver() {
  static const Driver found = findDriver();
  return found;
}

// --- JSON

std::string orNull(const std::string& text) { return text.empty() ? "null" : quoted(text); }

std::string entry(const char* name, const std::string& found, const std::string& path, const Strings& looked,
                  const std::string& mend) {
  std::string list;
  for (const std::string& line : looked) list += (list.empty() ? "" : ",") + quoted(line);
  return "{\"name\":" + quoted(name) + ",\"found\":" + orNull(found) + ",\"path\":" + orNull(path) + ",\"looked\":[" +
         list + "],\"mend\":" + orNull(mend) + "}";
}

}  // namespace

void requireLibraries() {
  std::string wanted, packages, variables, looked;
  for (size_t i = kKinds.size(); i-- > 0;) {  // the one that people know first
    const Kind& kind = kKinds[i];
    if (libraries()[i].handle) continue;
    const char* comma = wanted.empty() ? "" : ", ";
    wanted += std::string(comma) + kind.expected;
    packages += std::string(" ") + kind.package;
    variables += std::string(comma) + kind.variable;
    looked += std::string("\nLooked for ") + kind.file + ":";
    for (const std::string& line : libraries()[i].looked) looked += "\n  " + line;
  }
  if (wanted.empty()) return;
  throw expected("device", wanted, "none",
                 "pip install" + packages + ", or set " + variables + " to the library's file or folder." + looked);
}

void* library(Library which) {
  requireLibraries();
  return libraries()[static_cast<int>(which)].handle;
}

std::string libraryVersion(Library which) { return libraries()[static_cast<int>(which)].version; }

void requireGpu(int ordinal) {
  const Driver& found = driver();
  if (!found.opened) throw expected("device", "NVIDIA's driver", "none", found.error + ". " + kMendDriver);
  if (found.cuda < kCuda) throw expected("device", "a driver for CUDA 13", found.text(), kMendDriver);
  const std::string wanted = "a GPU for cuda:" + std::to_string(ordinal);
  if (ordinal >= static_cast<int>(found.gpus.size())) {
    throw expected("device", wanted, std::to_string(found.gpus.size()) + " GPUs",
                   found.error.empty() ? "" : "The driver says: " + found.error + ".");
  }
  if (!found.gpus[ordinal].usable()) throw expected("device", wanted, found.gpus[ordinal].text(), kMendGpu);
}

std::string report() {
  const Driver& d = driver();
  std::string json = "[" + entry("driver", d.opened ? d.text() : "", d.path,
                                 {std::string("the loader's path: ") + (d.opened ? kDriver : d.error)},
                                 d.cuda < kCuda ? kMendDriver : "");
  std::string gpus;
  for (const Gpu& gpu : d.gpus) gpus += (gpus.empty() ? "" : ", ") + gpu.text();
  const bool usable = std::any_of(d.gpus.begin(), d.gpus.end(), [](const Gpu& gpu) { return gpu.usable(); });
  json +=
      "," + entry("GPU", gpus, "", d.opened && !d.error.empty() ? Strings{"the driver says: " + d.error} : Strings{},
                  usable ? "" : kMendGpu);
  for (const Library which : {Library::cudnn, Library::cublasLt, Library::nvrtc}) {
    const Kind& kind = kKinds[static_cast<int>(which)];
    const Found& found = libraries()[static_cast<int>(which)];
    json += "," + entry(kind.name, found.version, found.path, found.looked, found.handle ? "" : mend(kind));
  }
  return json + "]";
}

}  // namespace needletail::cuda
