// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	authorization "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/cniproof/cniproof/framework/config"
)

// secret is in every kubeconfig of these tests and must be in no error.
const secret = "s3cr3t-t0ken"

// kubeconfig writes one for the server; ca is its certificate in PEM.
func kubeconfig(t *testing.T, server string, ca []byte) string {
	t.Helper()
	return write(t, fmt.Sprintf(`apiVersion: v1
kind: Config
clusters:
- name: there
  cluster: {server: %q, certificate-authority-data: %s}
users:
- name: me
  user: {token: %s}
- name: plugged
  user:
    exec: {apiVersion: client.authentication.k8s.io/v1, command: cniproof-no-such-plugin, interactiveMode: IfAvailable}
- name: hanging
  user:
    exec: {apiVersion: client.authentication.k8s.io/v1, command: sleep, args: ["5"], interactiveMode: Never}
contexts:
- {name: here, context: {cluster: there, user: me}}
- {name: plugged, context: {cluster: there, user: plugged}}
- {name: hanging, context: {cluster: there, user: hanging}}
- {name: dangling, context: {cluster: gone, user: me}}
current-context: here
`, server, base64.StdEncoding.EncodeToString(ca), secret))
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// apiServer answers as an API server with these nodes, whose user lacks the
// permissions denied, in the words of describe.
func apiServer(t *testing.T, nodes []corev1.Node, denied ...string) string {
	t.Helper()
	answer := func(w http.ResponseWriter, object any) {
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(object); err != nil {
			t.Error(err)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /version", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+secret {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, `{"major":"1","minor":"36","gitVersion":"v1.36.3"}`)
	})
	mux.HandleFunc("POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		review := &authorization.SelfSubjectAccessReview{}
		// Clients send it as protobuf.
		if _, _, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, review); err != nil {
			t.Error(err)
		}
		review.Status.Allowed = !slices.Contains(denied, describe(*review.Spec.ResourceAttributes))
		answer(w, review)
	})
	mux.HandleFunc("GET /api/v1/nodes", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, corev1.NodeList{Items: nodes})
	})
	return serve(t, mux)
}

// serve answers with handler over TLS and returns a kubeconfig for it.
func serve(t *testing.T, handler http.Handler) string {
	t.Helper()
	server := httptest.NewTLSServer(handler)
	t.Cleanup(server.Close)
	return kubeconfig(t, server.URL, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
}

// unused is an address of this machine on which nothing listens.
func unused(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "https://" + l.Addr().String()
}

// silent is a server that takes connections and says nothing.
func silent(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return "https://" + l.Addr().String()
}

func TestExistingProblems(t *testing.T) {
	other := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(other.Close)
	foreign := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: other.Certificate().Raw})
	plainHTTP := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plainHTTP.Close)
	notReady := corev1.Node{Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{
		{Type: corev1.NodeReady, Status: corev1.ConditionFalse, Message: "cni plugin not initialized"},
	}}}
	notReady.Name = "worker"

	for name, test := range map[string]struct {
		kubeconfig, context string
		wanted              []string
	}{
		"none given":           {"", "", []string{"no kubeconfig was given", "pass -kubeconfig"}},
		"missing":              {"/nowhere/kubeconfig", "", []string{"/nowhere/kubeconfig does not exist"}},
		"unreadable":           {t.TempDir(), "", []string{"cannot be read", "is a directory"}},
		"empty":                {write(t, "\n"), "", []string{"is empty"}},
		"not YAML":             {write(t, "apiVersion: v1\nusers: [ "+secret+"\n: {"), "", []string{"is not a kubeconfig", "line "}},
		"another YAML":         {write(t, "users:\n- user: {token: "+secret+"}\n  name: [1]\n"), "", []string{"is not a kubeconfig"}},
		"without contexts":     {write(t, "apiVersion: v1\nkind: Config\n"), "", []string{"has no contexts"}},
		"no current context":   {write(t, "apiVersion: v1\nkind: Config\ncontexts:\n- {name: b, context: {}}\n- {name: a, context: {}}\n"), "", []string{"no current context", "a, b"}},
		"unknown context":      {kubeconfig(t, "https://127.0.0.1:1", nil), "prod", []string{`no context "prod"`, "dangling, hanging, here, plugged"}},
		"context of nothing":   {kubeconfig(t, "https://127.0.0.1:1", nil), "dangling", []string{`"dangling"`, "not usable"}},
		"no credential plugin": {kubeconfig(t, "https://127.0.0.1:1", nil), "plugged", []string{"cniproof-no-such-plugin, which is not installed"}},
		"a hanging plugin":     {kubeconfig(t, "https://127.0.0.1:1", nil), "hanging", []string{"did not answer within", "credential plugin"}},
		"refused":              {kubeconfig(t, unused(t), nil), "", []string{"nothing listens at", "connection refused"}},
		"silent":               {kubeconfig(t, silent(t), nil), "", []string{"did not answer"}},
		"plain HTTP":           {kubeconfig(t, strings.Replace(plainHTTP.URL, "http:", "https:", 1), nil), "", []string{"does not speak TLS"}},
		"unknown authority":    {kubeconfig(t, other.URL, nil), "", []string{"unknown authority"}},
		"another web server":   {kubeconfig(t, other.URL, foreign), "", []string{"does not answer as one"}},
		"a login page":         {serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") })), "", []string{"does not answer as one"}},
		"401":                  {serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })), "", []string{"does not accept the credentials (401)"}},
		"403":                  {serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })), "", []string{"(403)"}},
		"missing permissions":  {apiServer(t, nil, "create pods/exec", "list nodes", "create daemonsets.apps"), "", []string{"may not list nodes, create pods/exec, create daemonsets.apps"}},
		"no node":              {apiServer(t, nil), "", []string{"cluster there has no nodes"}},
		"no Ready node":        {apiServer(t, []corev1.Node{notReady}), "", []string{"none of the 1 nodes", "worker: cni plugin not initialized"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			timeouts := config.DefaultTimeouts()
			timeouts.Connect = time.Second
			start := time.Now()
			c, err := Existing(ExistingOptions{Kubeconfig: test.kubeconfig, Context: test.context, Timeouts: timeouts}).Up(t.Context())
			var problem *config.Problem
			if c != nil || !errors.As(err, &problem) {
				t.Fatalf("wanted a problem, observed cluster %v and %v", c, err)
			}
			if problem.What == "" || problem.Do == "" || strings.Contains(err.Error(), "\n") {
				t.Errorf("wanted one line with what to do, observed %q", err)
			}
			for _, words := range test.wanted {
				if !strings.Contains(err.Error(), words) {
					t.Errorf("wanted %q in %q", words, err)
				}
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the kubeconfig's secret is in %q", err)
			}
			if took := time.Since(start); took > timeouts.Connect+2*time.Second {
				t.Errorf("wanted an answer within %v, observed %v", timeouts.Connect, took)
			}
		})
	}
}

// TestUnreachable is about errors that cannot be had on every machine.
func TestUnreachable(t *testing.T) {
	request := func(err error) error {
		return &url.Error{Op: "Get", URL: "https://me:" + secret + "@api.test:6443/version", Err: err}
	}
	for _, test := range []struct {
		err    error
		wanted string
	}{
		{request(&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "api.test", IsNotFound: true}}), "the name of the API server api.test:6443 does not resolve"},
		{request(&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.EHOSTUNREACH)}), "there is no route to the API server at api.test:6443"},
		{request(&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ENETUNREACH)}), "there is no route"},
		{request(&net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}), "did not answer in time"},
		{request(fmt.Errorf("getting credentials: exec: executable aws failed with exit code 255")), "the credential plugin"},
	} {
		err := unreachable("https://me:"+secret+"@api.test:6443", test.err)
		if err == nil || !strings.Contains(err.Error(), test.wanted) || strings.Contains(err.Error(), secret) {
			t.Errorf("wanted %q, observed %v", test.wanted, err)
		}
	}
}

func TestExisting(t *testing.T) {
	ready := corev1.Node{Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}}}
	b := *ready.DeepCopy()
	ready.Name, b.Name = "a", "b"
	path := apiServer(t, []corev1.Node{b, ready})
	provider := Existing(ExistingOptions{Kubeconfig: "/nowhere/first" + string(filepath.ListSeparator) + path, Timeouts: config.DefaultTimeouts()})
	c, err := provider.Up(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if c.Name != "there" || c.Owned || c.Access != nil || c.Server != "v1.36.3" || len(c.Nodes) != 2 || c.Nodes[0].Name != "a" {
		t.Errorf("wanted the nodes a and b of a borrowed cluster there, observed %+v", c)
	}
	if err := provider.Down(t.Context()); err != nil {
		t.Error(err)
	}
}
