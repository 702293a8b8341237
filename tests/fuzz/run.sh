#!/bin/sh
# Fuzzes every target: run.sh SECONDS BUILD COMPILER-FLAGS…   The time is shared out evenly. Each target first runs its seeds
# behind a wall that forbids files, commands and the network (runner.c), then under libFuzzer. Prints each one's executions.
set -eu
total=$1 build=$2
shift 2
here=tests/fuzz
count=$(ls $here/fuzz_*.c | wc -l)
each=$((total / count))
[ "$each" -ge 2 ] || each=2
for source in $here/fuzz_*.c; do
    name=$(basename "$source" .c)
    corpus=$build/corpus/$name
    /usr/bin/python3 $here/seeds.py "$name" "$corpus"
    clang -Wno-unused-command-line-argument -DLLVMFuzzerTestOneInput=fuzz_target -c -o "$build/$name.o" "$source" "$@"
    clang -Wno-unused-command-line-argument -c -o "$build/limits.o" $here/limits.c "$@"
    clang -fsanitize=address,undefined -o "$build/$name-seeds" "$build/$name.o" "$build/limits.o" $here/runner.c "$@"
    "$build/$name-seeds" "$corpus"/seed-* >"$build/$name-seeds.log" 2>&1 || { cat "$build/$name-seeds.log"; exit 1; }
    clang -fsanitize=fuzzer,address,undefined -o "$build/$name" "$build/$name.o" "$build/limits.o" "$@"
    "$build/$name" -max_total_time=$each -print_final_stats=1 -max_len=8192 -timeout=5 -malloc_limit_mb=1 -rss_limit_mb=512 \
        -artifact_prefix="$build/$name-" "$corpus" 2>"$build/$name.log" || { tail -40 "$build/$name.log"; exit 1; }
    echo "$name: $(cat "$build/$name-seeds.log") behind the wall, $(sed -n 's/stat::number_of_executed_units: *//p' "$build/$name.log") executions in $each s"
done
