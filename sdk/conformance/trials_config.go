package conformance

import (
	"context"
	"strings"

	pb "github.com/datadis-engine/datadis/proto/plugin/v1"
)

var configTrials = []trial{
	{"config.valid", validConfig},
	{"config.required", requiredKeys},
	{"config.configure", configures},
}

// problems asks what is wrong with a configuration. A plugin that fails on it
// has refused it as well.
func (c *check) problems(ctx context.Context, p *process, w *world, config *config) ([]string, error) {
	var found []string
	err := c.call(ctx, p, "ValidateConfig", func(ctx context.Context) error {
		m, err := p.ValidateConfig(ctx, &pb.ValidateConfigRequest{Instance: w.instance(), Config: config.message()})
		for _, problem := range m.GetProblems() {
			found = append(found, strings.TrimPrefix(problem.GetPath()+": "+problem.GetMessage(), ": "))
		}
		return err
	})
	c.look("the problems that ValidateConfig finds", found...)
	if e, ok := refused(err); ok {
		return []string{e.text()}, nil
	}
	return found, err
}

func validConfig(ctx context.Context, c *check) error {
	w, err := c.newWorld()
	if err != nil {
		return err
	}
	p, err := c.launch(ctx, w.temp)
	if err != nil {
		return err
	}
	found, err := c.problems(ctx, p, w, c.config)
	if err != nil {
		return err
	}
	if len(found) > 0 {
		hint := ""
		if c.options.Config == "" {
			hint = "; it was made of the schema's required keys and examples, --config names a better one"
		}
		c.find("config.refused", "%s%s", strings.Join(found, "; "), hint)
	}
	return nil
}

func requiredKeys(ctx context.Context, c *check) error {
	if len(c.config.schema.Required) == 0 {
		return &skipError{"no key is required"}
	}
	w, err := c.newWorld()
	if err != nil {
		return err
	}
	p, err := c.launch(ctx, w.temp)
	if err != nil {
		return err
	}
	for _, name := range c.config.schema.Required {
		if property := c.config.schema.Properties[name]; property != nil && len(property.Default) > 0 {
			continue
		}
		found, err := c.problems(ctx, p, w, c.config.without(name))
		if err != nil {
			return err
		}
		if len(found) == 0 {
			c.find("config.required-accepted", "without %s", name)
		}
	}
	return nil
}

// configures sets up an instance. Work before that must not end the process.
func configures(ctx context.Context, c *check) error {
	w, err := c.newWorld()
	if err != nil {
		return err
	}
	p, err := c.launch(ctx, w.temp)
	if err != nil {
		return err
	}
	err = c.call(ctx, p, "HarmonizeTimeSeries before Configure", func(ctx context.Context) error {
		_, err := p.harmonizer.HarmonizeTimeSeries(ctx, &pb.HarmonizeTimeSeriesRequest{})
		return err
	})
	if _, ok := refused(err); err != nil && !ok {
		return err
	}
	s, err := c.fresh(ctx)
	if err != nil {
		return err
	}
	for _, kind := range c.report.Kinds {
		if kind == kindSource {
			s.checkRoute()
		}
	}
	return s.call(ctx, "CheckHealth", func(ctx context.Context) error {
		_, err := s.CheckHealth(ctx, &pb.CheckHealthRequest{})
		return err
	})
}

func (s *stage) checkRoute() {
	switch r := s.route; {
	case r.GetTopic() == "":
		s.find("configure.route", "it has no topic")
	case len(r.GetTables()) != len(r.GetRowKeys()):
		s.find("configure.route", "%d tables and %d row keys", len(r.GetTables()), len(r.GetRowKeys()))
	}
}
