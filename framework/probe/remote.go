// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	typed "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
	// Not the package of the same name in apimachinery: client-go 0.36 returns the
	// errors of this one.
	"k8s.io/streaming/pkg/httpstream"
)

// remote executes over the API server's pods/exec: WebSocket, which proxies in
// between understand, and SPDY where the server knows no other.
type remote struct{ config *rest.Config }

func (r remote) stream(ctx context.Context, pod Pod, stdin io.Reader, stdout, stderr io.Writer) error {
	executor, err := r.executor(pod, command)
	if err != nil {
		return err
	}
	return executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdin: stdin, Stdout: stdout, Stderr: stderr})
}

// Command runs a command of the pod's image in its container until it or ctx ends,
// and returns what it wrote. What it wrote to stderr is in the error.
func Command(ctx context.Context, config *rest.Config, pod Pod, stdin io.Reader, argv ...string) ([]byte, error) {
	executor, err := remote{config}.executor(pod, argv)
	if err != nil {
		return nil, err
	}
	var stdout bytes.Buffer
	stderr := &tail{}
	if stdin == nil {
		stdin = strings.NewReader("")
	}
	err = executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdin: stdin, Stdout: &stdout, Stderr: stderr})
	if err != nil {
		return nil, fmt.Errorf("run %q in pod %s/%s on %s: %w", strings.Join(argv, " "), pod.Namespace, pod.Name, pod.Node, stderr.said(err))
	}
	return stdout.Bytes(), nil
}

// executor is for one exec: executors must not be shared.
func (r remote) executor(pod Pod, command []string) (remotecommand.Executor, error) {
	client, err := typed.NewForConfig(r.config)
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	url := client.RESTClient().Post().Resource("pods").Namespace(pod.Namespace).Name(pod.Name).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{
			Container: pod.Container, Command: command, Stdin: true, Stdout: true, Stderr: true,
		}, scheme.ParameterCodec).URL()
	spdy, err := remotecommand.NewSPDYExecutor(r.config, "POST", url)
	if err != nil {
		return nil, fmt.Errorf("make a SPDY executor: %w", err)
	}
	socket, err := remotecommand.NewWebSocketExecutor(r.config, "GET", url.String())
	if err != nil {
		return nil, fmt.Errorf("make a WebSocket executor: %w", err)
	}
	return remotecommand.NewFallbackExecutor(socket, spdy, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	})
}
