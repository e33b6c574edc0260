// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

// crictl answers as crictl v1.36 does on nodes that have an image or not; a
// node that is not in it has no crictl.
type crictl map[string]bool

func (c crictl) Run(_ context.Context, node string, cmd Command) (Output, error) {
	has, installed := c[node]
	switch {
	case !installed:
		return Output{Code: 127}, fmt.Errorf("env: 'crictl': No such file or directory: %w", exec.ErrNotFound)
	case has:
		return Output{Stdout: []byte(`{"status": {}}`)}, nil
	}
	return Output{Code: 1, Stderr: fmt.Appendf(nil, `time="2026-11-22T16:07:42Z" level=fatal msg="no such image \"%s\" present"`, cmd.Argv[len(cmd.Argv)-1])}, nil
}

func (crictl) Describe(string, []string) string { return "" }

func TestMissingImage(t *testing.T) {
	const ref = "localhost/cniproof/probe:0123"
	c := &Cluster{Access: crictl{"a": true, "b": false}}
	for _, name := range []string{"a", "b", "c", "d"} {
		c.Nodes = append(c.Nodes, Node{Name: name})
	}
	listed := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "c"}, Status: corev1.NodeStatus{Images: []corev1.ContainerImage{{Names: []string{ref}}}}}
	c.Client = fake.NewClientset(listed, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "d"}})
	missing, err := MissingImage(t.Context(), c, ref)
	if err != nil || !slices.Equal(missing, []string{"b", "d"}) {
		t.Errorf("wanted b and d, observed %v, %v", missing, err)
	}
	c.Nodes = append(c.Nodes, Node{Name: "gone"})
	if _, err := MissingImage(t.Context(), c, ref); err == nil {
		t.Error("wanted an error for a node that cannot be asked")
	}
}

func TestLoadImageElsewhere(t *testing.T) {
	err := LoadImage(t.Context(), &Cluster{Name: "prod"}, "/nowhere", "localhost/a:b")
	if err == nil || !strings.Contains(err.Error(), "prod is not ours") || errors.Is(err, context.Canceled) {
		t.Errorf("wanted a refusal, observed %v", err)
	}
}
