// SPDX-License-Identifier: Apache-2.0

package scenarios

import (
	"bytes"
	"context"
	"fmt"
	"path"

	"github.com/cniproof/cniproof/framework/cluster"
	"github.com/cniproof/cniproof/framework/scenario"
)

// kept is where originals are kept on a node while a fault is in it.
const kept = "/var/lib/cniproof"

// keepFile keeps the original of a file or directory of the victim. A second
// time it does nothing, so that what is kept is the original.
func keepFile(ctx context.Context, t scenario.Target, file string) error {
	return shell(ctx, t, fmt.Sprintf("mkdir -p %[2]s && { [ -e %[2]s/%[3]s ] || cp -a %[1]s %[2]s/%[3]s; }", file, kept, path.Base(file)))
}

// putBack restores what keepFile kept, if it did.
func putBack(ctx context.Context, t scenario.Target, file string) error {
	return shell(ctx, t, fmt.Sprintf("[ ! -e %[2]s/%[3]s ] || { rm -rf %[1]s && mkdir -p %[4]s && mv %[2]s/%[3]s %[1]s; }", file, kept, path.Base(file), path.Dir(file)))
}

// keepOutput keeps what a command on the victim prints, in a file under kept. A
// second time it does nothing, so that what is kept is from before the fault.
func keepOutput(ctx context.Context, t scenario.Target, command, file string) error {
	return shell(ctx, t, fmt.Sprintf("mkdir -p %[1]s && { [ -s %[3]s ] || { %[2]s >%[3]s.next && [ -s %[3]s.next ] && mv %[3]s.next %[3]s; }; }", kept, command, file))
}

// replaceFile keeps a file of the victim and writes another in its place.
func replaceFile(ctx context.Context, t scenario.Target, file, content string) error {
	if err := keepFile(ctx, t, file); err != nil {
		return err
	}
	out, err := t.Cluster.Access.Run(ctx, t.Node, cluster.Command{Argv: []string{"tee", file}, Stdin: []byte(content)})
	if err == nil && out.Code != 0 {
		err = fmt.Errorf("exit %d: %s", out.Code, bytes.TrimSpace(out.Stderr))
	}
	if err != nil {
		return fmt.Errorf("write %s on %s: %w", file, t.Node, err)
	}
	return nil
}

// The CNI configuration flannel's init container writes, and the plugins'
// directory (kind-configs/cni, containerd's default).
const (
	flannelConf = "/etc/cni/net.d/10-flannel.conflist"
	cniBin      = "/opt/cni/bin"
	subnetEnv   = "/run/flannel/subnet.env"
)
