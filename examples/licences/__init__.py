"""The licence manager: subscription plans of enterprise customers, and their licences."""
