#!/usr/bin/env bash
# Runs an MPI program on hosts that are network namespaces of this machine, one rank on each, joined
# by a bridge whose links are as slow as one says. For root, on Linux with iproute2.
#   hosts.sh HOSTS RATE DELAY PROGRAM [ARGUMENT...]
#   hosts.sh 4 100mbit 0 build/release/bench/ranks_bench --sleep 20,2600000,200
# RATE, as tc has it, is what a host sends and receives at, at the same time (token buckets).
# DELAY is that of a frame from host to host, in milliseconds; 0: as it comes. Other delays come
# from a relay in user space, build/release/bench/delay, which carries some hundred Mbit/s in all.
# All goes when the program ends, and when this script does for another reason.
set -euo pipefail

# How mpirun starts its daemon on a host: hosts.sh enter PREFIX ADDRESS COMMAND...
if [ "${1:-}" = enter ]; then
  name=$2${3##*.}
  exec ip netns exec "$name" unshare --uts sh -c "hostname $name; ${*:4}"
fi

[ $# -ge 4 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }
hosts=$1 rate=$2 delay=$3
shift 3
self=$(realpath "$0")
relay=$(realpath "$(dirname "$0")/../../build/release/bench/delay")
prefix=weft$$-
switch=${prefix}switch
relay_pid=

clean_up() {
  trap '' INT TERM HUP
  [ -z "$relay_pid" ] || kill "$relay_pid" 2>/dev/null || true
  for name in "$switch" $(seq -f "$prefix%g" "$hosts"); do
    ip netns pids "$name" 2>/dev/null | xargs -r kill -9 2>/dev/null || true
    ip netns delete "$name" 2>/dev/null || true
  done
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

# shape NAMESPACE DEVICE: what leaves there. The bucket lets a burst of 10 ms through.
shape() {
  tc -n "$1" qdisc add dev "$2" root tbf rate "$rate" burst 32kb limit 4mb
}

ip netns add "$switch"
ip -n "$switch" link add bridge type bridge
ip -n "$switch" link set bridge up
cables=()
for i in $(seq "$hosts"); do
  host=$prefix$i
  ip netns add "$host"
  ip -n "$host" link set lo up
  if [ "$delay" = 0 ]; then
    ip -n "$host" link add eth0 type veth peer name "port$i" netns "$switch"
  else
    ip -n "$host" tuntap add dev eth0 mode tap
    ip -n "$switch" tuntap add dev "port$i" mode tap
    cables+=("$host" eth0 "$switch" "port$i")
  fi
  ip -n "$host" address add "10.77.0.$i/24" dev eth0
  ip -n "$switch" link set "port$i" master bridge
  shape "$host" eth0
  shape "$switch" "port$i"
  ip -n "$host" link set eth0 up
  ip -n "$switch" link set "port$i" up
done

if [ "$delay" != 0 ]; then # a frame goes through two cables; they must not wait for a busy core
  coproc RELAY { exec chrt -f 10 "$relay" "$(awk "BEGIN { print $delay / 2 }")" "${cables[@]}"; }
  relay_pid=$RELAY_PID
  read -r -t 10 <&"${RELAY[0]}" || { echo "hosts.sh: the relay did not start" >&2; exit 1; }
fi

export WEFT_NUM_THREADS=${WEFT_NUM_THREADS:-1}
# btl_tcp_flags 1: messages are sent as they are. Otherwise their receiver asks for each piece, behind
# all that it is itself sending, and a slow link is idle for half of the time. mpi_yield_when_idle:
# hosts share cores.
addresses=$(seq -f '10.77.0.%g:1' "$hosts" | paste -sd,)
"$self" enter "$prefix" 1 mpirun --allow-run-as-root --bind-to none -n "$hosts" --host "$addresses" \
  --mca plm_rsh_agent "'$self enter $prefix'" --mca plm_rsh_no_tree_spawn 1 \
  --mca btl tcp,self --mca btl_tcp_if_include eth0 --mca oob_tcp_if_include eth0 \
  --mca btl_tcp_flags 1 --mca mpi_yield_when_idle 1 -x WEFT_NUM_THREADS "$@" &
wait $! # so that a signal is heard
