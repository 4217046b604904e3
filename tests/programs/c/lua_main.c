/* A small stand-alone Lua: `lua SCRIPT [ARGS…]`, `lua -e CHUNK`, or the chunk on standard input.
 *
 * Lua's own `lua.c` isn't among the sources that the crate carries. This one has what the tests need: the standard
 * libraries, `arg`, a traceback for an error that nobody caught, and an exit code that tells success from failure.
 */
#include <stdio.h>
#include <string.h>

#include "lauxlib.h"
#include "lua.h"
#include "lualib.h"

static int traceback(lua_State *L) {
  const char *message = lua_tostring(L, 1);
  luaL_traceback(L, L, message ? message : "(error object is not a string)", 1);
  return 1;
}

/* `arg[0]` is the script, `arg[1…]` what follows it, as in the real thing. */
static void set_arguments(lua_State *L, int argc, char **argv) {
  lua_createtable(L, argc, 1);
  for (int i = 1; i < argc; i++) {
    lua_pushstring(L, argv[i]);
    lua_rawseti(L, -2, i - 1);
  }
  lua_setglobal(L, "arg");
}

static int load(lua_State *L, int argc, char **argv) {
  if (argc > 2 && strcmp(argv[1], "-e") == 0)
    return luaL_loadbuffer(L, argv[2], strlen(argv[2]), "=(command line)");
  return luaL_loadfile(L, argc > 1 ? argv[1] : NULL);
}

int main(int argc, char **argv) {
  lua_State *L = luaL_newstate();
  if (L == NULL) {
    fputs("lua: not enough memory\n", stderr);
    return 1;
  }
  luaL_openlibs(L);
  set_arguments(L, argc, argv);
  lua_pushcfunction(L, traceback);
  int failed = load(L, argc, argv) != LUA_OK || lua_pcall(L, 0, 0, 1) != LUA_OK;
  if (failed)
    fprintf(stderr, "lua: %s\n", lua_tostring(L, -1));
  lua_close(L);
  return failed;
}
