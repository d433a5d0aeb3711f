"""The pages that belong to no other app: home, menu, search page, settings shell.

Also what every template needs: icons, faces, times, money, the import map. It owns no table and no rule.
"""
