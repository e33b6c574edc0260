// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/streaming/pkg/httpstream"
)

// Agents are the privileged pods, one on each node, through which AgentAccess
// runs commands.
type Agents struct {
	// Namespace and Selector find them, e.g. app=node-agent.
	Namespace, Selector string
	// Container is their container, and Enter what runs a command of the node
	// in it, in the node's own namespaces.
	Container string
	Enter     []string
	// Patience is how long an agent may take to start.
	Patience time.Duration
}

// AgentAccess is node access through the agents, over the API server's exec. It
// needs the node's kubelet and runtime, and neither its CNI nor its pod network:
// the agents are on the host's.
func AgentAccess(config *rest.Config, client kubernetes.Interface, agents Agents) NodeAccess {
	a := agentAccess{config: config, client: client, agents: agents}
	a.shellAccess = shellAccess{a.open, &shells{}}
	return a
}

type agentAccess struct {
	shellAccess
	config *rest.Config
	client kubernetes.Interface
	agents Agents
}

// Describe is for a person for whom there is no agent.
func (a agentAccess) Describe(node string, argv []string) string { return DescribeDebug(node, argv) }

// DescribeDebug is the command for a node that is reached through the API server
// only, as a human would type it: `kubectl debug` makes a privileged pod of its
// own on the node.
func DescribeDebug(node string, argv []string) string {
	return "kubectl debug node/" + node + " -it --profile=sysadmin --image=busybox -- nsenter -t 1 -m -u -i -n -- " + quoted(argv)
}

// agentPoll is how often an agent that is not running yet is asked for.
const agentPoll = 300 * time.Millisecond

// open starts a shell of the node's own through its agent, for which it waits
// while it starts.
func (a agentAccess) open(ctx context.Context, node string) (*shell, error) {
	waiting, cancel := context.WithTimeout(ctx, a.agents.Patience)
	defer cancel()
	for {
		pod, err := a.agent(waiting, node)
		if err == nil {
			return a.shell(pod)
		}
		select {
		case <-time.After(agentPoll):
		case <-waiting.Done():
			return nil, fmt.Errorf("no way onto the node: %w", err)
		}
	}
}

// agent is the name of the node's agent, which runs.
func (a agentAccess) agent(ctx context.Context, node string) (string, error) {
	pods, err := a.client.CoreV1().Pods(a.agents.Namespace).List(ctx, metav1.ListOptions{
		LabelSelector: a.agents.Selector, FieldSelector: fields.OneTermEqualSelector("spec.nodeName", node).String(),
	})
	if err != nil {
		return "", fmt.Errorf("look for its agent: %w", err)
	}
	why := "it has none yet"
	for _, pod := range pods.Items {
		if pod.Status.Phase == corev1.PodRunning && pod.DeletionTimestamp == nil {
			return pod.Name, nil
		}
		why = "it is " + string(pod.Status.Phase)
		for _, c := range pod.Status.ContainerStatuses {
			if w := c.State.Waiting; w != nil {
				why += ", " + w.Reason + " " + w.Message
			}
		}
	}
	return "", fmt.Errorf("its agent in namespace %s does not run: %s", a.agents.Namespace, why)
}

// shell starts sh in the namespaces of the pod's node.
func (a agentAccess) shell(pod string) (*shell, error) {
	executor, err := a.executor(pod, append(append([]string{}, a.agents.Enter...), "sh"))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background()) // it outlives the command it was started for
	stdin, in := io.Pipe()
	stdout, out := io.Pipe()
	stderr, complain := io.Pipe()
	go func() {
		err := executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdin: stdin, Stdout: out, Stderr: complain})
		if err == nil {
			err = io.EOF
		}
		err = fmt.Errorf("exec in its agent: %w", err)
		out.CloseWithError(err)
		complain.CloseWithError(err)
		stdin.CloseWithError(err)
	}()
	return newShell(in, stdout, stderr, func() {
		cancel()
		// What nobody reads any more must not keep the stream.
		stdout.CloseWithError(errClosed)
		stderr.CloseWithError(errClosed)
	}), nil
}

var errClosed = errors.New("the shell was closed")

// executor is for one exec: WebSocket, and SPDY where the server knows no other.
func (a agentAccess) executor(pod string, command []string) (remotecommand.Executor, error) {
	url := a.client.CoreV1().RESTClient().Post().Resource("pods").Namespace(a.agents.Namespace).Name(pod).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{
			Container: a.agents.Container, Command: command, Stdin: true, Stdout: true, Stderr: true,
		}, scheme.ParameterCodec).URL()
	spdy, err := remotecommand.NewSPDYExecutor(a.config, "POST", url)
	if err != nil {
		return nil, fmt.Errorf("make a SPDY executor: %w", err)
	}
	socket, err := remotecommand.NewWebSocketExecutor(a.config, "GET", url.String())
	if err != nil {
		return nil, fmt.Errorf("make a WebSocket executor: %w", err)
	}
	return remotecommand.NewFallbackExecutor(socket, spdy, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	})
}
