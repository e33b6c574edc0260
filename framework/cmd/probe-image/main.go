// SPDX-License-Identifier: Apache-2.0

// Command probe-image builds the probe's container image from this module's
// sources, and publishes it where a cluster can pull it.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/cniproof/cniproof/fixtures/image"
)

const usage = `probe-image builds the image of the probe (fixtures/probe), prints its name and the
docker-archive tarball it is in, and with -push publishes it in a registry.

usage: probe-image [-push registry/name:tag]

A cluster that cniproof did not create pulls the probe from a registry:
  make probe-image PUSH=registry.example.com/cniproof/probe:v1
  go test ./suites/... -kubeconfig ~/.kube/config -probe-image registry.example.com/cniproof/probe:v1
Credentials are those of docker login. The image is for this machine's architecture.

`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && err != flag.ErrHelp {
		fmt.Fprintln(os.Stderr, "probe-image:", err)
		os.Exit(1)
	}
}

// run builds and, when asked to, publishes; what it did goes to out.
func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("probe-image", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.Usage = func() {
		fmt.Fprint(out, usage)
		flags.PrintDefaults()
	}
	push := flags.String("push", "", "publish the image as `registry/name:tag`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unknown arguments %q; see probe-image -h", flags.Args())
	}
	archive, err := image.Build(ctx, "fixtures/probe", os.Stderr)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s\n%s\n", archive.Ref, archive.Path)
	if *push == "" {
		return nil
	}
	if err := image.Push(ctx, archive, *push); err != nil {
		return err
	}
	fmt.Fprintf(out, "pushed %s\n", *push)
	return nil
}
