# What `make install` puts where: libraries, header, ingle.pc, CMake package, program, man page,
# completion, the bundled model.
include(CMakePackageConfigHelpers)

install(TARGETS ingle_static ingle_shared EXPORT ingle-targets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES include/ingle.h include/ingle_record.h include/ingle_tools.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/ingle)
set_target_properties(ingle_static PROPERTIES EXPORT_NAME static)
set_target_properties(ingle_shared PROPERTIES EXPORT_NAME shared)
install(EXPORT ingle-targets NAMESPACE ingle:: DESTINATION ${package_dir})
configure_package_config_file(cmake/ingle-config.cmake.in ${CMAKE_BINARY_DIR}/ingle-config.cmake
  INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/ingle-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/ingle-config.cmake ${CMAKE_BINARY_DIR}/ingle-config-version.cmake
  DESTINATION ${package_dir})

# ${pcfiledir} keeps the file true wherever `cmake --install --prefix` puts the tree.
file(RELATIVE_PATH INGLE_PC_PREFIX /p/${CMAKE_INSTALL_LIBDIR}/pkgconfig /p)
configure_file(cmake/ingle.pc.in ${CMAKE_BINARY_DIR}/ingle.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/ingle.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

install(TARGETS ingle RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES models/tiny-chat.gguf models/README.md
  DESTINATION ${CMAKE_INSTALL_DATADIR}/ingle/models)

# The program writes its own man page and completion, from the tables it parses options with.
if(CMAKE_CROSSCOMPILING AND NOT CMAKE_CROSSCOMPILING_EMULATOR)
  return()
endif()
set(doc_dir ${CMAKE_BINARY_DIR}/doc)
file(MAKE_DIRECTORY ${doc_dir})
add_custom_command(
  OUTPUT ${doc_dir}/ingle.1 ${doc_dir}/ingle-serve.1 ${doc_dir}/ingle.bash ${doc_dir}/_ingle ${doc_dir}/ingle.fish
  COMMAND ingle help --man > ${doc_dir}/ingle.1
  COMMAND ingle help --man serve > ${doc_dir}/ingle-serve.1
  COMMAND ingle help --completion bash > ${doc_dir}/ingle.bash
  COMMAND ingle help --completion zsh > ${doc_dir}/_ingle
  COMMAND ingle help --completion fish > ${doc_dir}/ingle.fish
  DEPENDS ingle VERBATIM)
add_custom_target(ingle_doc ALL DEPENDS ${doc_dir}/ingle.1)
install(FILES ${doc_dir}/ingle.1 ${doc_dir}/ingle-serve.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${doc_dir}/ingle.bash RENAME ingle
  DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES ${doc_dir}/_ingle DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
install(FILES ${doc_dir}/ingle.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
