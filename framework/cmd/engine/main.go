// SPDX-License-Identifier: Apache-2.0

// Command engine prepares this machine for disposable clusters and undoes it:
// see package framework/cluster/engine.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/cniproof/cniproof/framework/cluster/engine"
)

const usage = `Usage: engine up|down|status

  up      make sure that a Docker engine answers. One that runs is used as it is.
          Where none does and this is root: start the installed one; on Debian,
          install docker.io first. Raise the inotify limits that clusters need.
  down    stop the engine if "up" started it, and put back what "up" changed.
          Images and volumes stay, and so do docker's own bridges and iptables chains.
  status  say which engine answers and what "down" would undo; exit 1 if none answers.

Environment:
  CNIPROOF_ENGINE_EGRESS=allow  containers of an engine started here may reach public
                                addresses (set it before "up"; after "down" if it runs)
  CNIPROOF_HOME                 where the state is kept (default: cniproof in the
                                user's cache directory)
`

func main() {
	flag.Usage = func() { fmt.Fprint(os.Stderr, usage) }
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, flag.Args()); err != nil {
		fmt.Fprintf(os.Stderr, "engine: %v\n", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	switch {
	case len(args) == 1 && args[0] == "up":
		return engine.Ensure(ctx, os.Stdout)
	case len(args) == 1 && args[0] == "down":
		return engine.Stop(ctx, os.Stdout)
	case len(args) == 1 && args[0] == "status":
		return engine.Status(ctx, os.Stdout)
	case len(args) == 2 && args[0] == "refuse-names": // what "up" leaves running
		return engine.RefuseNames(ctx, args[1])
	}
	flag.Usage()
	return fmt.Errorf("wanted one of up, down, status; observed %q", args)
}
