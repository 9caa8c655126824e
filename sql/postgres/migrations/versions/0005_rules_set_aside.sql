-- A condition that failed while it judged is set aside alone, and says why.
ALTER TABLE rule_activations ADD COLUMN failed_at TIMESTAMP WITH TIME ZONE;
ALTER TABLE rule_activations ADD COLUMN error TEXT;
