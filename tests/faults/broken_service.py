"""The service with a store that does not compare fences: what the tests of faults must notice."""

from service.__main__ import main
from service.engine import valkey_store

CHECK = "if tonumber(fence) ~= tonumber(ARGV[2]) then return 'moved' end"

if __name__ == "__main__":
    assert CHECK in valkey_store._SAVE
    valkey_store._SAVE = valkey_store._SAVE.replace(CHECK, "")
    main()
