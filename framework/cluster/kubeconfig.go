// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	api "k8s.io/client-go/tools/clientcmd/api"

	"github.com/cniproof/cniproof/framework/config"
)

// Requests per second to the API server; a run asks for many small things at
// once and is not a controller.
const (
	clientQPS   = 100
	clientBurst = 200
)

// readKubeconfig returns the configuration of a context and the name of its
// cluster. paths is one file or, as in KUBECONFIG, a list of them; contextName
// empty is the current one. Every error is a *config.Problem, and none shows
// what is in the file beyond the names of contexts.
func readKubeconfig(paths, contextName string) (*rest.Config, string, error) {
	loaded, err := loadKubeconfig(paths)
	if err != nil {
		return nil, "", err
	}
	if contextName == "" {
		contextName = loaded.CurrentContext
	}
	if contextName == "" {
		return nil, "", &config.Problem{What: fmt.Sprintf("kubeconfig %s has no current context", paths), Do: "pass -context with one of " + contexts(loaded)}
	}
	chosen, ok := loaded.Contexts[contextName]
	if !ok {
		return nil, "", &config.Problem{What: fmt.Sprintf("kubeconfig %s has no context %q", paths, contextName), Do: "pass -context with one of " + contexts(loaded)}
	}
	client, err := clientcmd.NewNonInteractiveClientConfig(*loaded, contextName, &clientcmd.ConfigOverrides{}, nil).ClientConfig()
	if err != nil {
		return nil, "", &config.Problem{What: fmt.Sprintf("context %q of kubeconfig %s is not usable", contextName, paths), Do: "repair its cluster and user entries", Err: err}
	}
	if plugin := client.ExecProvider; plugin != nil {
		if _, err := exec.LookPath(plugin.Command); err != nil {
			return nil, "", &config.Problem{
				What: fmt.Sprintf("context %q gets its credentials from the program %s, which is not installed", contextName, filepath.Base(plugin.Command)),
				Do:   "install it or put it into PATH", Err: errors.Unwrap(err),
			}
		}
		// A plugin that asks its questions on the terminal would hang the run.
		plugin.InteractiveMode = api.NeverExecInteractiveMode
		plugin.StdinUnavailable = true
		plugin.StdinUnavailableMessage = "cniproof runs unattended"
	}
	client.QPS, client.Burst = clientQPS, clientBurst
	client.UserAgent = "cniproof"
	client.WarningHandler = rest.NoWarnings{}
	return client, chosen.Cluster, nil
}

func loadKubeconfig(paths string) (*api.Config, error) {
	if paths == "" {
		return nil, &config.Problem{What: "no kubeconfig was given", Do: "pass -kubeconfig or set KUBECONFIG; go run ./framework/cmd/cluster up makes a cluster and prints the path of its kubeconfig"}
	}
	var files []string
	for _, path := range filepath.SplitList(paths) {
		found, err := inspectKubeconfig(path)
		if err != nil {
			return nil, err
		}
		if found {
			files = append(files, path)
		}
	}
	if len(files) == 0 {
		return nil, &config.Problem{What: fmt.Sprintf("kubeconfig %s does not exist", paths), Do: "pass -kubeconfig with the path of one"}
	}
	loaded, err := (&clientcmd.ClientConfigLoadingRules{Precedence: files}).Load()
	if err != nil {
		return nil, &config.Problem{What: fmt.Sprintf("kubeconfig %s cannot be used", paths), Do: "see what kubectl config view --kubeconfig says of it"}
	}
	return loaded, nil
}

// inspectKubeconfig tells whether the file is there, and what is wrong with it
// where it is no kubeconfig.
func inspectKubeconfig(path string) (bool, error) {
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, &config.Problem{What: fmt.Sprintf("kubeconfig %s cannot be read", path), Do: "pass -kubeconfig with a file you may read", Err: cause(err)}
	case strings.TrimSpace(string(text)) == "":
		return false, &config.Problem{What: fmt.Sprintf("kubeconfig %s is empty", path), Do: "pass -kubeconfig with the path of one"}
	}
	loaded, err := clientcmd.Load(text)
	if err != nil {
		// The decoder quotes the file, so only the line is told.
		return false, &config.Problem{What: fmt.Sprintf("kubeconfig %s is not a kubeconfig%s", path, line(err)), Do: "pass -kubeconfig with the path of one"}
	}
	if len(loaded.Contexts) == 0 && len(loaded.Clusters) == 0 {
		return false, &config.Problem{What: fmt.Sprintf("kubeconfig %s has no contexts", path), Do: "pass -kubeconfig with the path of one"}
	}
	return true, nil
}

var lineNumber = regexp.MustCompile(`line \d+`)

func line(err error) string {
	if at := lineNumber.FindString(err.Error()); at != "" {
		return ": it does not parse at " + at
	}
	return ": it does not parse"
}

// cause is the innermost error: the system's word without the path again.
func cause(err error) error {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return err
}

func contexts(c *api.Config) string {
	names := make([]string, 0, len(c.Contexts))
	for name := range c.Contexts {
		names = append(names, name)
	}
	if len(names) == 0 {
		return "its own, of which it has none"
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
